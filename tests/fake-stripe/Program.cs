using System.Net;
using Jobs.Testing.FakeStripe;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

if (CommandLine.Parse(args) is not { } options)
{
    await Console.Error.WriteLineAsync(CommandLine.Usage);
    return 1;
}

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Listen(IPAddress.Loopback, options.Port);
    kestrel.AddServerHeader = false;
    // Seeding 100,000 objects is one body.
    kestrel.Limits.MaxRequestBodySize = null;
    kestrel.Limits.MinRequestBodyDataRate = null;
    kestrel.Limits.MinResponseDataRate = null;
});

var account = new FakeAccount(options);
var control = new ControlApi(account);
await using var app = builder.Build();
app.Run(http => http.Request.Path.StartsWithSegments("/_fake", StringComparison.Ordinal)
    ? control.HandleAsync(http)
    : account.Server.HandleAsync(http));

await app.StartAsync();
var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
await Console.Out.WriteLineAsync($"listening on {address}");
await Console.Out.FlushAsync();

if (options.ExitWithStdin)
{
    // A parent that dies closes the pipe, however it dies.
    var stdin = new Thread(() =>
    {
        using var input = Console.OpenStandardInput();
        Span<byte> buffer = stackalloc byte[256];
        while (input.Read(buffer) > 0)
        {
        }

        Environment.Exit(0);
    })
    { IsBackground = true };
    stdin.Start();
}

await app.WaitForShutdownAsync();
return 0;
