using Jobs.Testing;
using Jobs.Testing.FakeS3;

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

var store = new ObjectStore(buckets.Count > 0 ? buckets : ["archive"]);
var faults = new Faults();
await LoopbackHost.RunAsync(port, exitWithStdin, new S3Server(store, faults).HandleAsync, new ControlApi(store, faults).HandleAsync);
return 0;
