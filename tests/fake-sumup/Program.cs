using System.Text.Json.Nodes;
using Jobs.Testing;
using Jobs.Testing.FakeSumUp;

// fake-sumup [--port N] [--merchant CODE:KEY [--reader SERIAL:NAME]...] [--exit-with-stdin]: see README.md.
var (port, exitWithStdin) = (0, false);
var merchants = new Merchants();
Merchant? merchant = null;
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--port" when i + 1 < args.Length && int.TryParse(args[i + 1], out port):
            i++;
            break;
        case "--merchant" when i + 1 < args.Length && args[i + 1].Split(':') is [var code, var key]:
            merchants.Add(merchant = new Merchant(code, key, "EUR"));
            i++;
            break;
        case "--reader" when i + 1 < args.Length && merchant is not null && args[i + 1].Split(':', 2) is [var serial, var name]:
            ControlApi.AddReader(merchant, new JsonObject { ["serial"] = serial, ["name"] = name });
            i++;
            break;
        case "--exit-with-stdin":
            exitWithStdin = true;
            break;
        default:
            await Console.Error.WriteLineAsync("fake-sumup [--port N] [--merchant CODE:KEY [--reader SERIAL:NAME]...] [--exit-with-stdin]");
            return 1;
    }
}

await LoopbackHost.RunAsync(port, exitWithStdin, new SumUpServer(merchants).HandleAsync, new ControlApi(merchants).HandleAsync);
return 0;
