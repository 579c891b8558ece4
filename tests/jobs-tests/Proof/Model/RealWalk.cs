using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Model;

/// <summary>The other side of a path: the published jobs against a real database and the fake provider, whose clocks go as the model's does.</summary>
internal sealed class RealWalk(JobWorld world) : IAsyncDisposable
{
    private static readonly DateTime Morning = new(2026, 11, 20, 5, 0, 0, DateTimeKind.Utc);

    // Hours as the model knows them, and a little more, so that what is an hour old in the model is so here whatever the seconds say.
    private static readonly TimeSpan More = TimeSpan.FromMinutes(2);

    private readonly List<long> _subscriptions = [];
    private JobProcess? _held;
    private int _methods = 1;

    /// <summary>
    /// clock_timestamp() of the jobs is one of our own, found before PostgreSQL's; and no lease keeps a second run away.
    /// </summary>
    private static string Clock(string database) =>
        $"""
        CREATE SCHEMA shifted;
        CREATE TABLE shifted.clock (shift interval NOT NULL);
        INSERT INTO shifted.clock SELECT @morning::timestamptz - pg_catalog.clock_timestamp();
        CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + shift FROM shifted.clock';
        GRANT USAGE ON SCHEMA shifted TO {PostgresFixture.JobsLogin};
        GRANT SELECT ON shifted.clock TO {PostgresFixture.JobsLogin};
        ALTER ROLE {PostgresFixture.JobsLogin} IN DATABASE "{database}" SET search_path = shifted, public, pg_catalog;
        CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.expires_at := '2026-01-01'; RETURN NEW; END $$;
        CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
        INSERT INTO job_cursors (job, name, value) VALUES ('match-successful-payments', 'until', '2026-11-20T05:00:00Z');
        """;

    public async Task SeedAsync(int subscriptions)
    {
        await world.ExecuteAsync(Clock(world.Database), new { morning = Morning });
        await world.Stripe.SetClockAsync(new DateTimeOffset(Morning));
        await world.Stripe.ConfigureAsync(new { lock_per_customer = false });
        var plan = await world.PlanAsync(unit: "year");
        var user = await world.UserAsync("ada");
        for (var s = 0; s < subscriptions; s++)
            _subscriptions.Add(await world.SubscriptionAsync(user, plan, Morning.AddHours(-1)));
    }

    /// <returns>False when the run that was held found its lease with another: then it stops wherever it is, which the model does not know.</returns>
    public async Task<bool> DoAsync(Deed deed, World before)
    {
        switch (deed.What)
        {
            case What.Run:
                await BehaveAsync(deed.Outcome);
                await RunAsync(deed);
                return true;
            case What.RunCutOff or What.RunRefused:
                await BehaveAsync(deed.Outcome);
                await FaultAsync(deed.What == What.RunRefused ? "status_before:500" : deed.After ? "drop_after" : "drop_before", deed);
                await RunAsync(deed, fails: deed.What == What.RunRefused);
                await world.Stripe.ClearFaultsAsync();
                return true;
            case What.RunKilled or What.RunHeld:
                await BehaveAsync(deed.Outcome);
                await FaultAsync(deed.After ? "hang_after" : "hang_before", deed);
                var process = Start(deed);
                await world.Stripe.HeldAsync(waitMs: 60_000);
                await world.Stripe.ClearFaultsAsync();
                _held = process;
                if (deed.What == What.RunKilled)
                    await KillHeldAsync();
                return true;
            case What.Release:
                await BehaveAsync(deed.Outcome);
                await world.Stripe.ReleaseAsync();
                using (var held = _held!)
                {
                    _held = null;
                    var result = await held.EndAsync();
                    if (result.Stdout.Contains("lease passed to another run", StringComparison.Ordinal))
                        return false;
                    Assert.True(result.ExitCode == 0, result.ToString());
                }

                return true;
            case What.KillHeld:
                await KillHeldAsync();
                return true;
            case What.Pay:
                await world.Stripe.ActAsync(await IntentAsync(deed.On), "pay", new { });
                return true;
            case What.BankSays:
                await world.Stripe.ActAsync(
                    await IntentAsync(deed.On), "settle", deed.Outcome == Intention.Succeeded ? new { outcome = "succeed", decline = (string?)null } : new { outcome = "fail", decline = (string?)"insufficient_funds" });
                return true;
            case What.ChangeMethod:
                _methods++;
                await world.Stripe.SeedAsync(new { payment_methods = new[] { new { id = "pm_ada2", customer = "cus_ada", behaviour = "success" } } });
                await world.ExecuteAsync("UPDATE users SET default_payment_method_id = 'pm_ada2'");
                return true;
            case What.PayInApplication:
                await PayInApplicationAsync();
                return true;
            default:
                await PassAsync(deed.On);
                return true;
        }
    }

    public async Task RunAsync(Deed deed, bool fails = false)
    {
        using var process = Start(deed);
        var result = await process.EndAsync();
        Assert.True(result.ExitCode == (fails ? 1 : 0), result.ToString());
    }

    public async Task PassAsync(int hours)
    {
        await world.ExecuteAsync("UPDATE shifted.clock SET shift = shift + @by", new { by = TimeSpan.FromHours(hours) + More });
        await world.Stripe.AdvanceAsync(TimeSpan.FromHours(hours) + More);
    }

    public static string NameOf(JobKind job) => job switch
    {
        JobKind.Autopayment => "autopayment",
        JobKind.MatchPending => "match-pending-payments",
        JobKind.MatchSuccessful => "match-successful-payments",
        _ => "expire-payments",
    };

    private JobProcess Start(Deed deed) => world.StartPublished(
        NameOf(deed.Job),
        deed.Job == JobKind.Autopayment
            ? ["--output", "json", "--only", _subscriptions[deed.On].ToString(CultureInfo.InvariantCulture)]
            : ["--output", "json"]);

    private Task FaultAsync(string fault, Deed deed) => world.Stripe.FaultAsync(
        fault,
        deed.Call switch
        {
            At.Wire => new { method = "POST", path = "/v1/payment_intents", nth = 1 },
            At.Find => new { method = "GET", path = "/v1/payment_intents", nth = 1 },
            At.Look => new { method = "GET", path = "/v1/payment_intents/{id}", nth = 1 },
            _ => new { method = "POST", path = "/v1/payment_intents/{id}/cancel", nth = 1 },
        },
        shouldRetry: fault.StartsWith("status", StringComparison.Ordinal) ? false : null);

    private async Task BehaveAsync(Intention outcome)
    {
        var behaviour = outcome switch
        {
            Intention.Declined => "insufficient_funds",
            Intention.RequiresAction => "requires_action",
            Intention.Processing => "processing_then_succeed:100000000",
            _ => "success",
        };
        await world.Stripe.BehaveAsync("pm_ada", behaviour);
        if (_methods > 1)
            await world.Stripe.BehaveAsync("pm_ada2", behaviour);
    }

    private async Task KillHeldAsync()
    {
        using var held = _held!;
        _held = null;
        held.Kill();
        await held.EndAsync();
        // The provider notices that its client is gone.
        for (var waited = 0; waited < 100 && (await HoldsAsync()) > 0; waited++)
            await Task.Delay(20);
    }

    private async Task<int> HoldsAsync() => (await world.Stripe.HeldAsync(count: 0, waitMs: 0)).Count;

    private async Task PayInApplicationAsync()
    {
        var user = await world.ScalarAsync<long>("SELECT min(id) FROM users");
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new[]
            {
                new
                {
                    id = "pi_app",
                    amount = 1000,
                    currency = "eur",
                    customer = "cus_ada",
                    payment_method = "pm_ada",
                    status = "succeeded",
                    metadata = new { user_id = $"{user}", purpose = "subscription", subscription_id = $"{_subscriptions[0]}", plan = "monthly", period_start = "2026-11-20" },
                },
            },
        });
    }

    private async Task<string> IntentAsync(int index) => (await world.Stripe.DumpAsync())[index].GetProperty("id").GetString()!;

    /// <summary>The same text as <see cref="Walk.Picture"/> makes of the model's world.</summary>
    public async Task<string> PictureAsync()
    {
        var subscriptions = await world.QueryAsync(
            """
            SELECT s.id, s.status, s.next_attempt_at::text AS next, CASE WHEN isfinite(s.next_attempt_at) THEN extract(epoch FROM s.next_attempt_at - @morning::timestamptz)::float8 / 3600 END AS hours,
                   (SELECT count(*) FROM audit_logs AS a WHERE a.action = 'subscription.extended' AND a.subject_id = s.id) AS extended,
                   s.ended_at > @morning AS is_extended
            FROM subscriptions AS s ORDER BY s.id
            """,
            new { morning = Morning });
        var attempts = await world.QueryAsync(
            """
            SELECT id, subscription_id, status, provider_payment_id AS intent, provider_ended_at IS NOT NULL AS ended,
                   coalesce(failure_code = 'authentication_required', false) AS authentication, period_start - '2026-11-20'::date AS period
            FROM payments ORDER BY id
            """);
        var parked = (await world.QueryAsync("SELECT provider_payment_id AS id, reason FROM unmatched_payments")).ToDictionary(row => (string)row.id, row => (string)row.reason);
        var intents = await world.Stripe.DumpAsync();
        var ids = intents.Select(intent => intent.GetProperty("id").GetString()!).ToList();
        var payments = attempts.Select(row => (long)row.id).ToList();
        var lines = new List<string>();
        foreach (var row in subscriptions)
        {
            Assert.Equal((long)row.extended > 0, (bool)row.is_extended);
            var next = (string?)row.next;
            lines.Add(Walk.SubscriptionLine(
                _subscriptions.IndexOf((long)row.id), (int)(long)row.extended, (string)row.status == "past_due",
                next is null ? "none" : next == "infinity" || next.StartsWith("9999", StringComparison.Ordinal) ? "never" : string.Create(CultureInfo.InvariantCulture, $"{(double)row.hours:0.##} h")));
        }

        lines.AddRange(attempts.Select((row, i) => Walk.AttemptLine(
            i, _subscriptions.IndexOf((long)row.subscription_id), CultureInfo.InvariantCulture.TextInfo.ToTitleCase((string)row.status),
            (string?)row.intent is { } id ? ids.IndexOf(id) : -1, (bool)row.ended, (bool)row.authentication, (int)row.period)));
        lines.AddRange(intents.Select((intent, i) => Walk.IntentLine(
            i, StatusOf(intent), AttemptOf(intent, payments), parked.GetValueOrDefault(ids[i], "no"))));
        var ledger = await world.Stripe.LedgerAsync();
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{ledger.Count} charges in the ledger"));
        return string.Join('\n', lines);
    }

    private static string StatusOf(JsonElement intent) => intent.GetProperty("status").GetString() switch
    {
        "requires_payment_method" => nameof(Intention.Declined),
        "requires_action" => nameof(Intention.RequiresAction),
        "processing" => nameof(Intention.Processing),
        "succeeded" => nameof(Intention.Succeeded),
        "canceled" => nameof(Intention.Canceled),
        var other => other!,
    };

    private static int AttemptOf(JsonElement intent, List<long> payments) =>
        intent.GetProperty("metadata").TryGetProperty("payment_id", out var id) ? payments.IndexOf(long.Parse(id.GetString()!, CultureInfo.InvariantCulture)) : -1;

    public async ValueTask DisposeAsync()
    {
        if (_held is not null)
            await KillHeldAsync();
        await world.Stripe.ClearFaultsAsync();
        await world.Stripe.ConfigureAsync(new { lock_per_customer = true });
    }
}
