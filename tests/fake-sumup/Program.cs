using System.Net;
using Jobs.Testing.FakeSumUp;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

// fake-sumup [--port N] [--merchant CODE:KEY] [--exit-with-stdin]: see README.md.
var (port, exitWithStdin) = (0, false);
var merchants = new Merchants();
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--port" when i + 1 < args.Length && int.TryParse(args[i + 1], out port):
            i++;
            break;
        case "--merchant" when i + 1 < args.Length && args[i + 1].Split(':') is [var code, var key]:
            merchants.Add(new Merchant(code, key, "EUR"));
            i++;
            break;
        case "--exit-with-stdin":
            exitWithStdin = true;
            break;
        default:
            await Console.Error.WriteLineAsync("fake-sumup [--port N] [--merchant CODE:KEY] [--exit-with-stdin]");
            return 1;
    }
}

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Listen(IPAddress.Loopback, port);
    kestrel.AddServerHeader = false;
    kestrel.Limits.MinRequestBodyDataRate = null;
    kestrel.Limits.MinResponseDataRate = null;
});

var server = new SumUpServer(merchants);
var control = new ControlApi(merchants);
await using var app = builder.Build();
app.Run(http => http.Request.Path.StartsWithSegments("/_fake", StringComparison.Ordinal) ? control.HandleAsync(http) : server.HandleAsync(http));

await app.StartAsync();
var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
await Console.Out.WriteLineAsync($"listening on {address}");
await Console.Out.FlushAsync();

if (exitWithStdin)
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
