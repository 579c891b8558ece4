using System.Globalization;
using System.Text.Json;
using Jobs.Billing;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Members;

/// <summary>A desk: user 1 is staff, user 2 is Ada, who pays or becomes a member.</summary>
internal static class MemberScene
{
    public const long Desk = 1;
    public const long Ada = 2;

    /// <summary>Of <see cref="Morning"/>, in the business zone.</summary>
    public static readonly DateOnly Today = new(2026, 11, 20);

    public static async Task<JobWorld> DeskAsync(this PostgresFixture fixture)
    {
        var world = await fixture.WorldAsync();
        await world.SeedDeskAsync();
        return world;
    }

    public static async Task SeedDeskAsync(this JobWorld world)
    {
        await world.PersonAsync("desk", role: "staff");
        Assert.Equal(Ada, await world.UserAsync("ada"));
    }

    public static Task HoldsAsync(this JobWorld world, string type, DateOnly end, DateOnly? start = null, long user = Ada) => world.ExecuteAsync(
        "INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (@user, @type, @start, @end)",
        new { user, type, start = start ?? end.AddYears(-1).AddDays(1), end });

    /// <summary>Ada pays in cash at the desk; what differs from that replaces it, and null leaves it out.</summary>
    public static Task<JobResult> RecordAsync(this JobWorld world, string purpose, string amount, params (string Name, string? Value)[] changes) =>
        world.RunAsync("record-payment", [.. Payment(purpose, amount, changes)]);

    public static string[] Payment(string purpose, string amount, params (string Name, string? Value)[] changes) => Options(
        [
            ("--as-of", AsOf(Morning)), ("--user", Text(Ada)), ("--amount", amount), ("--currency", "eur"), ("--method", "cash"),
            ("--purpose", purpose), ("--recorded-by", Text(Desk)), ("--reference", "desk 7"),
        ],
        changes);

    public static Task<JobResult> GrantAsync(this JobWorld world, string type, params (string Name, string? Value)[] changes) =>
        world.RunAsync("grant-membership", [.. Grant(type, changes)]);

    public static string[] Grant(string type, params (string Name, string? Value)[] changes) => Options(
        [("--as-of", AsOf(Morning)), ("--user", Text(Ada)), ("--type", type), ("--recorded-by", Text(Desk)), ("--reference", "desk 7")], changes);

    private static string[] Options((string Name, string? Value)[] usual, (string Name, string? Value)[] changes)
    {
        var options = usual.ToDictionary(o => o.Name, o => o.Value, StringComparer.Ordinal);
        foreach (var (name, value) in changes)
        {
            options[name] = value;
        }

        // An empty value is that of a flag.
        return [.. options.Where(o => o.Value is not null).SelectMany(o => o.Value!.Length > 0 ? new[] { o.Key, o.Value } : [o.Key])];
    }

    /// <summary>The one item of an on-demand run.</summary>
    public static JsonElement Item(this JobResult run) => Assert.Single(run.Json.GetProperty("items").EnumerateArray());

    /// <summary>Exit 1, the sentence in both places, nothing written but the run itself.</summary>
    public static async Task<string> RefusedAsync(this JobWorld world, Func<Task<JobResult>> start)
    {
        var before = await world.StateAsync();
        var run = (await start()).Failed();
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal("failed", run.Json.GetProperty("status").GetString());
        return Runs.Mistake.OneSentence(run.Json.GetProperty("job").GetString()!, run, world.Environment);
    }

    /// <summary>As an application connects: under the role of the jobs, with a pool of its own.</summary>
    public static NpgsqlDataSource Source(this JobWorld world, Func<string, string>? through = null)
    {
        var connection = world.Server.ConnectionFor(world.Database, PostgresFixture.JobsLogin, PostgresFixture.JobsPassword).ConnectionString;
        return NpgsqlDataSource.Create((through?.Invoke(connection) ?? connection) + ";Maximum Pool Size=5");
    }

    public static ManualPayment Cash(string purpose, long amountMinor, string reference = "desk 7") => new()
    {
        UserId = Ada,
        AmountMinor = amountMinor,
        Currency = "eur",
        Method = "cash",
        Purpose = purpose,
        RecordedBy = Desk,
        Reference = reference,
    };

    public static MembershipGrant Grant(string type, string reference = "desk 7", bool reduced = false) => new()
    {
        UserId = Ada,
        Type = type,
        ReducedPrice = reduced,
        RecordedBy = Desk,
        Reference = reference,
    };

    public static Origin At(DateTime now) => new("a shop", null, now);

    public static DateOnly Day(string text) => DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture);
}
