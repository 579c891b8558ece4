using Jobs.Testing;
using Jobs.Testing.FakeSumUp;

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

await LoopbackHost.RunAsync(port, exitWithStdin, new SumUpServer(merchants).HandleAsync, new ControlApi(merchants).HandleAsync);
return 0;
