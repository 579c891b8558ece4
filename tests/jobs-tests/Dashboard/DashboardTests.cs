using System.Text.Json;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Dashboard;

public sealed class DashboardTests(PostgresFixture fixture)
{
    [Fact]
    public async Task It_shows_terminals_queue_payments_totals_and_locks_as_one_object()
    {
        await using var world = await fixture.CounterAsync();
        var json = await JsonAsync(world);

        Assert.Equal(["Bar", "Entrance"], Strings(json, "terminals", "name"));
        Assert.Equal(["busy", "offline"], Strings(json, "terminals", "status"));
        var bar = json.GetProperty("terminals")[0];
        Assert.Equal(("Ada", 1000, "processing"), (bar.GetProperty("payer").GetString(), bar.GetProperty("amount_minor").GetInt32(), bar.GetProperty("payment_status").GetString()));

        Assert.Equal(3, json.GetProperty("queue_length").GetInt32());
        Assert.Equal(["Ada", DashboardScene.Cyrillic, DashboardScene.Long], Strings(json, "queue", "payer"));
        Assert.Equal([1, 2, 3], json.GetProperty("queue").EnumerateArray().Select(q => q.GetProperty("place").GetInt32()));
        Assert.InRange(json.GetProperty("queue")[1].GetProperty("waiting_seconds").GetInt32(), 3 * 3600, 3 * 3600 + 120);
        Assert.Equal(["", "", "the reader asked for is busy"], Strings(json, "queue", "reason"));

        // Online cards and other days are not the counter's.
        Assert.Equal([11, 12, 13, 31, 32, 33, 34], json.GetProperty("payments").EnumerateArray().Select(p => p.GetProperty("id").GetInt32()).Order());
        Assert.Equal("2026-000031", Payment(json, 31).GetProperty("receipt_number").GetString());
        Assert.Equal("card_declined", Payment(json, 33).GetProperty("failure_code").GetString());
        Assert.Equal(
            ["eur cash 2 3000", "usd check 1 0"],
            json.GetProperty("totals").EnumerateArray().Select(t => $"{t.GetProperty("currency")} {t.GetProperty("method")} {t.GetProperty("count")} {t.GetProperty("amount_minor")}"));

        var held = Assert.Single(json.GetProperty("locks").EnumerateArray());
        Assert.Equal(("2", "Ada"), (held.GetProperty("user_id").GetString(), held.GetProperty("payer").GetString()));
        Assert.InRange(held.GetProperty("seconds_left").GetInt32(), 60, 120);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("fallback").ValueKind);
    }

    [Fact]
    public async Task Text_says_the_same_and_no_name_reaches_the_terminal_as_a_command()
    {
        await using var world = await fixture.CounterAsync();
        await world.FallbackAsync("""{"active": true, "automatic": false, "reason": "new readers", "actor": "Zoé", "since": "2026-11-20T10:00:00Z", "until": "2199-01-01T00:00:00Z"}""");
        var text = (await world.DashboardAsync()).Stdout;

        Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n');
        string[] said =
        [
            "FALLBACK MODE: new readers", "by hand, by Zoé, since 20 Nov 11:00, until 1 Jan 01:00", "▸ busy", "✗ offline", "READER_OFFLINE",
            "1,234.50\u00A0EUR", "250,000\u00A0JPY", "3 h 00", "2026-000031", "card_declined", "nameless@example.test", "till7, process 4711",
        ];
        Assert.All(said, words => Assert.Contains(words, text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"active": false, "reason": "over"}""", null)]
    [InlineData("""{"active": true, "reason": "over", "until": "2020-01-01T00:00:00Z"}""", null)]
    [InlineData("""{"active": true, "automatic": true, "reason": "SumUp is away"}""", "SumUp is away")]
    [InlineData("""{"active": "perhaps"}""", "payment_fallback_mode in settings cannot be read: {\"active\": \"perhaps\"}")]
    [InlineData("[]", "payment_fallback_mode in settings cannot be read: []")]
    public async Task The_fallback_mode_is_shown_while_it_lasts(string setting, string? reason)
    {
        await using var world = await fixture.WorldAsync();
        await world.FallbackAsync(setting);
        var fallback = (await JsonAsync(world)).GetProperty("fallback");
        Assert.Equal(reason, fallback.ValueKind == JsonValueKind.Null ? null : fallback.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task An_empty_counter_says_so()
    {
        await using var world = await fixture.WorldAsync();
        var text = (await world.DashboardAsync()).Stdout;
        Assert.All(["no terminal is set up", "nobody is waiting", "none yet"], words => Assert.Contains(words, text, StringComparison.Ordinal));
        Assert.Equal(0, (await JsonAsync(world)).GetProperty("queue_length").GetInt32());
    }

    [Fact]
    public async Task Looking_leaves_no_trace()
    {
        await using var world = await fixture.CounterAsync();
        const string Ledger = "SELECT (SELECT count(*) FROM job_runs) || ' runs, ' || (SELECT count(*) FROM leases) || ' leases'";
        var (before, ledger) = (await world.StateAsync(), await world.ScalarAsync<string>(Ledger));
        await JsonAsync(world);
        Assert.Equal((before, ledger), (await world.StateAsync(), await world.ScalarAsync<string>(Ledger)));
    }

    [Fact]
    public async Task Hundreds_of_payments_are_counted_and_the_newest_listed()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.PersonAsync("Ada");
        await world.ExecuteAsync(
            "INSERT INTO payments (user_id, amount_minor, status, method, succeeded_at) SELECT @user, 100, 'succeeded', 'cash', now() FROM generate_series(1, 450)", new { user });
        var json = await JsonAsync(world);
        Assert.Equal((450, 200), (json.GetProperty("payment_count").GetInt32(), json.GetProperty("payments").GetArrayLength()));
        Assert.Equal(45_000, json.GetProperty("totals")[0].GetProperty("amount_minor").GetInt32());
        Assert.Contains("and 250 more", (await world.DashboardAsync()).Stdout, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'dashbord' is not a command of jobctl; did you mean dashboard?", "dashbord")]
    [InlineData("'--wach' is not an option of jobctl dashboard; did you mean --watch?", "dashboard", "--wach")]
    [InlineData("'more' is not an option of jobctl dashboard; see jobctl dashboard --help", "dashboard", "more")]
    [InlineData("--refresh is about the page; give --html FILE as well, or leave it out", "dashboard", "--refresh", "5s")]
    [InlineData("--refresh must be a duration such as 90s, 5m, 12h or 7d (at most 3650d), not 'often'", "dashboard", "--html", "/tmp/x.html", "--refresh", "often")]
    [InlineData("--html must name a file; '/tmp' is a folder", "dashboard", "--html", "/tmp")]
    [InlineData("Required argument missing for option: '--html'; see jobctl dashboard --help", "dashboard", "--html")]
    [InlineData("the database cannot be reached (Connection refused); check host and port in DATABASE_URL and that PostgreSQL is running", "dashboard")]
    [InlineData("the database cannot be reached (Connection refused); check host and port in DATABASE_URL and that PostgreSQL is running", "dashboard", "--watch")]
    public async Task A_mistake_is_one_line_in_both_forms(string sentence, params string[] args)
    {
        Assert.Equal(sentence, await Mistake.SentenceAsync("jobctl", JobWorld.Nowhere, args));
        using var process = JobInProcess.Start("jobctl", JobWorld.Nowhere, ["--output", "json", .. args]);
        var result = await process.EndAsync();
        Assert.Equal(sentence, Mistake.OneSentence("jobctl", result, JobWorld.Nowhere));
        Assert.Equal((sentence, "failed"), (result.Json.GetProperty("error").GetString(), result.Json.GetProperty("status").GetString()));
    }

    [Fact]
    public async Task Without_a_command_all_are_named()
    {
        var sentence = await Mistake.SentenceAsync("jobctl", JobWorld.Nowhere);
        Assert.Matches("^say which command: status, .*dashboard, .*; see jobctl --help$", sentence);
    }

    [Fact]
    public async Task A_missing_address_or_schema_is_named()
    {
        Assert.Equal(
            "DATABASE_URL is not set; set it to the PostgreSQL to work on, such as postgresql://user:password@host:5432/database",
            await Mistake.SentenceAsync("jobctl", [], "dashboard"));
        var server = await fixture.ServerAsync();
        var database = await server.CreateDatabaseAsync();
        Assert.EndsWith("run the job `migrate` first", await Mistake.SentenceAsync("jobctl", JobWorld.EnvironmentOf(server.UrlFor(database)), "dashboard"), StringComparison.Ordinal);
        await server.DropDatabaseAsync(database);
    }

    [Fact]
    public async Task Options_also_come_from_the_environment()
    {
        await using var world = await fixture.CounterAsync();
        world.Environment["JOBS_OUTPUT"] = "json";
        Assert.Equal(3, (await world.DashboardAsync()).Json.GetProperty("queue_length").GetInt32());
        world.Environment["JOBS_WATCH"] = "often";
        Assert.Equal("JOBS_WATCH must be true or false, not 'often'", Mistake.OneSentence("jobctl", await world.DashboardAsync(), world.Environment));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("dashboard", "--help")]
    public async Task Help_lists_commands_and_options_with_their_variables(params string[] args)
    {
        using var process = JobInProcess.Start("jobctl", [], args);
        var help = await process.EndAsync();
        Assert.True(help.ExitCode == 0 && help.Stderr.Length == 0, help.ToString());
        Assert.Matches(@"(?m)^  --output <text\|json> .*\[env: JOBS_OUTPUT\]$", help.Stdout);
        Assert.Contains("Exit status:\n  0  done\n  1  anything else", help.Stdout, StringComparison.Ordinal);
        Assert.Equal(args.Length == 1, help.Stdout.Contains(Catalogue.Find("jobctl").Summary, StringComparison.Ordinal));
        Assert.Equal(args.Length == 2, help.Stdout.Contains("[env: JOBS_WATCH]", StringComparison.Ordinal));
    }

    private static async Task<JsonElement> JsonAsync(JobWorld world)
    {
        var run = await world.DashboardAsync("--output", "json");
        Assert.True(run is { ExitCode: 0, Stderr: "" } && !run.Stdout.TrimEnd('\n').Contains('\n', StringComparison.Ordinal), run.ToString());
        return run.Json;
    }

    private static IEnumerable<string?> Strings(JsonElement json, string list, string member) =>
        json.GetProperty(list).EnumerateArray().Select(row => row.GetProperty(member).GetString());

    private static JsonElement Payment(JsonElement json, long id) =>
        json.GetProperty("payments").EnumerateArray().Single(p => p.GetProperty("id").GetInt64() == id);
}
