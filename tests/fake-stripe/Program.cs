using System.Text.Json;
using Jobs.Testing;
using Jobs.Testing.FakeStripe;

if (CommandLine.Parse(args) is not { } options)
{
    await Console.Error.WriteLineAsync(CommandLine.Usage);
    return 1;
}

var account = new FakeAccount(options);
if (options.SeedFile is { } file)
{
    try
    {
        using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(file));
        Seeding.Run(account.World, document.RootElement);
    }
    catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException or ControlException or FormatException or InvalidOperationException)
    {
        await Console.Error.WriteLineAsync($"fake-stripe: {file}: {error.Message}");
        return 1;
    }
}

// A reset gives the account another server.
await LoopbackHost.RunAsync(options.Port, options.ExitWithStdin, http => account.Server.HandleAsync(http), new ControlApi(account).HandleAsync);
return 0;
