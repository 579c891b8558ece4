using System.Globalization;
using System.Text.Json;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Starting;

/// <summary>One day to be made up for: what a rehearsal foretells, and what came of it.</summary>
/// <param name="AsOf">The run's "now"; null: the job takes the day itself.</param>
internal sealed record BackfillDay(DateOnly Date, DateTime? AsOf)
{
    public DayResult? Plan { get; private set; }
    public DayResult? Done { get; private set; }

    public async Task RehearseAsync(ToolRun run, JobDefinition job)
    {
        Plan = await StartAsync(run, job, dryRun: true);
        if (Plan.Status != "succeeded")
        {
            throw new OperatorException($"{job.Name} cannot be rehearsed for {Date:yyyy-MM-dd}: {Plan.Error ?? Plan.Status}; nothing was done");
        }
    }

    public async Task RunAsync(ToolRun run, JobDefinition job) => Done = await StartAsync(run, job, dryRun: false);

    private async Task<DayResult> StartAsync(ToolRun run, JobDefinition job, bool dryRun)
    {
        run.Stopping.ThrowIfCancellationRequested();
        string[] options = AsOf is { } at
            ? ["--as-of", at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)]
            : ["--date", Date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)];
        using var process = RunCommand.Start(run, job.Name, options, dryRun, OutputFormat.Json, capture: true);
        var log = process.StandardError.ReadToEndAsync();
        var result = DayResult.ReadAsync(process.StandardOutput.BaseStream);
        await RunCommand.EndAsync(run, process);
        await log;
        return await result;
    }
}

/// <summary>The result of a run, as its JSON object says.</summary>
internal sealed class DayResult
{
    public string Status { get; init; } = "failed";
    public string? Error { get; init; }
    public Dictionary<string, long> Counters { get; init; } = [];

    /// <summary>By currency, minor units, of the items that name one.</summary>
    public Dictionary<string, long> Amounts { get; init; } = [];

    public string Summary => string.Join(", ", Counters.Where(c => c.Value != 0).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value} {c.Key.Replace('_', ' ')}"))) is { Length: > 0 } text
        ? text : "nothing to do";

    public string AmountsText => string.Join(", ", Amounts.Select(amount => Words.Money(amount.Value, amount.Key)));

    public static async Task<DayResult> ReadAsync(Stream stdout)
    {
        try
        {
            using var json = await JsonDocument.ParseAsync(stdout);
            var root = json.RootElement;
            return new DayResult
            {
                Status = root.GetProperty("status").GetString() ?? "failed",
                Error = root.TryGetProperty("error", out var error) ? error.GetString() : null,
                Counters = root.GetProperty("counters").EnumerateObject().ToDictionary(c => c.Name, c => c.Value.GetInt64()),
                Amounts = root.TryGetProperty("items", out var items) ? AmountsOf(items) : [],
            };
        }
        catch (JsonException)
        {
            return new DayResult { Error = "it ended without a result" };
        }
    }

    private static Dictionary<string, long> AmountsOf(JsonElement items)
    {
        var amounts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var item in items.EnumerateArray())
        {
            if (item.TryGetProperty("amount_minor", out var amount) && amount.ValueKind == JsonValueKind.Number
                && item.TryGetProperty("currency", out var currency) && currency.GetString() is { } code
                && item.TryGetProperty("outcome", out var outcome) && outcome.GetString() != "no_payment_method")
            {
                amounts[code] = amounts.GetValueOrDefault(code) + amount.GetInt64();
            }
        }

        return amounts;
    }

    public void Write(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject(name);
        JsonText.Write(json, "status", Status);
        JsonText.Write(json, "error", Error);
        foreach (var (group, values) in new[] { ("counters", Counters), ("amounts_minor", Amounts) })
        {
            json.WriteStartObject(group);
            foreach (var (key, value) in values)
            {
                json.WriteNumber(key, value);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
