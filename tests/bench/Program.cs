using System.Globalization;
using Jobs.Bench;

// bench [--lines startup,boxed,expire,cleanup,autopayment,orders,listing,mail,looking,images] [--starts N] [--rows N] [--rounds N] [--due N] [--seconds N] [--orders N] [--objects N] [--mails N] [--audit N]
// It measures and reports; a missed target is a line of the table, not a failure of the program.
var options = new Dictionary<string, string>(StringComparer.Ordinal)
{
    ["--lines"] = "startup,boxed,expire,cleanup,autopayment,orders,listing,mail,looking,images",
    ["--starts"] = "15",
    ["--rows"] = "1000000",
    ["--rounds"] = "3",
    ["--due"] = "100000",
    ["--orders"] = "20000",
    ["--seconds"] = "40",
    ["--objects"] = "100000",
    ["--mails"] = "10000",
    ["--audit"] = "10000000",
};
for (var i = 0; i < args.Length; i += 2)
{
    if (!options.ContainsKey(args[i]) || i + 1 == args.Length)
    {
        await Console.Error.WriteLineAsync($"bench: what is {args[i]}? Options, each with a value: {string.Join(' ', options.Keys)}");
        return 1;
    }

    options[args[i]] = args[i + 1];
}

try
{
    return await RunAsync(options["--lines"].Split(','));
}
catch (InvalidOperationException e)
{
    await Console.Error.WriteLineAsync($"bench: {e.Message}");
    return 1;
}

async Task<int> RunAsync(string[] lines)
{
    await using var ground = await Ground.LayAsync();
    var yardsticks = await Yardsticks.PrepareAsync();
    var results = new List<Result>();
    foreach (var line in lines)
    {
        results.AddRange(line switch
        {
            "startup" => await StartUp.MeasureAsync(ground, yardsticks, Number("--starts")),
            "boxed" => await StartUp.MeasureBoxedAsync(ground, yardsticks, Math.Min(5, Number("--starts"))),
            "expire" => await Expire.MeasureAsync(ground, yardsticks, Number("--rows"), Number("--rounds")),
            "cleanup" => await Cleanup.MeasureAsync(ground, Number("--rows"), Number("--rounds")),
            "autopayment" => await Charging.MeasureAsync(ground, yardsticks, Number("--due"), Number("--seconds"), Number("--rounds"), [20, 80]),
            "orders" => await Orders.MeasureAsync(ground, Number("--orders"), Number("--seconds"), 80),
            "listing" => await Listing.MeasureAsync(ground, Number("--objects")),
            "mail" => await Mailing.MeasureAsync(ground, Number("--mails")),
            "looking" => await Looking.MeasureAsync(ground, Number("--rows"), Number("--audit")),
            "images" => Images.Measure(),
            _ => throw new InvalidOperationException($"there is no line '{line}'; the lines: startup, boxed, expire, cleanup, autopayment, orders, listing, mail, looking, images"),
        });
    }

    var table = Table.Of(results);
    Console.Write(table);
    var path = Ground.RepositoryFile("artifacts/bench/results.md");
    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
    await File.WriteAllTextAsync(
        path, $"# Measured\n\n{DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, {Environment.ProcessorCount} cores, {ground.Server.Description}, durable settings.\n\n{table}");
    Console.WriteLine($"\n{path}");
    return 0;
}

int Number(string option) => int.Parse(options[option], CultureInfo.InvariantCulture);
