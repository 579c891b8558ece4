using Jobs.Testing;
using Jobs.Testing.FakeStripe;

if (CommandLine.Parse(args) is not { } options)
{
    await Console.Error.WriteLineAsync(CommandLine.Usage);
    return 1;
}

var account = new FakeAccount(options);
// A reset gives the account another server.
await LoopbackHost.RunAsync(options.Port, options.ExitWithStdin, http => account.Server.HandleAsync(http), new ControlApi(account).HandleAsync);
return 0;
