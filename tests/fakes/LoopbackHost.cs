using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Jobs.Testing;

/// <summary>A fake provider as a program: one HTTP server on the loopback that says where it listens, and how it is steered under /_fake.</summary>
internal static class LoopbackHost
{
    /// <param name="port">0 for a free one.</param>
    /// <param name="exitWithStdin">End when standard input closes: a parent that dies closes it, however it dies.</param>
    public static async Task RunAsync(int port, bool exitWithStdin, RequestDelegate server, RequestDelegate control)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.AddServerHeader = false;
            // A dump of a database, or 100,000 objects to begin with, is one body; on a busy machine it comes slowly.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        await using var app = builder.Build();
        app.Run(http => http.Request.Path.StartsWithSegments("/_fake", StringComparison.Ordinal) ? control(http) : server(http));

        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        await Console.Out.WriteLineAsync($"listening on {address}");
        await Console.Out.FlushAsync();
        if (exitWithStdin)
        {
            new Thread(ExitWithStdin) { IsBackground = true }.Start();
        }

        await app.WaitForShutdownAsync();
    }

    private static void ExitWithStdin()
    {
        using var input = Console.OpenStandardInput();
        Span<byte> buffer = stackalloc byte[256];
        while (input.Read(buffer) > 0)
        {
        }

        Environment.Exit(0);
    }
}
