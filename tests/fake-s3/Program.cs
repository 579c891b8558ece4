using System.Net;
using Jobs.Testing.FakeS3;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

// fake-s3 [--port N] [--bucket NAME]... [--exit-with-stdin]
// Enough of S3 for what is kept there: objects, multipart uploads, list-type=2, path-style only, Signature Version 4 checked. Access key
// "fake-access-key", secret "fake-secret-key". Faults and what is stored: see ControlApi.
var (port, buckets, exitWithStdin) = (0, new List<string>(), false);
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--port" when i + 1 < args.Length && int.TryParse(args[i + 1], out port):
            i++;
            break;
        case "--bucket" when i + 1 < args.Length:
            buckets.Add(args[++i]);
            break;
        case "--exit-with-stdin":
            exitWithStdin = true;
            break;
        default:
            await Console.Error.WriteLineAsync("fake-s3 [--port N] [--bucket NAME]... [--exit-with-stdin]");
            return 1;
    }
}

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Listen(IPAddress.Loopback, port);
    kestrel.AddServerHeader = false;
    kestrel.Limits.MaxRequestBodySize = null;
    kestrel.Limits.MinRequestBodyDataRate = null;
    kestrel.Limits.MinResponseDataRate = null;
});

var store = new ObjectStore(buckets.Count > 0 ? buckets : ["archive"]);
var faults = new Faults();
var server = new S3Server(store, faults);
var control = new ControlApi(store, faults);
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
