using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Acting;

/// <summary>Somebody called ada at the operator's tool.</summary>
internal static class ActScene
{
    public static Task<JobResult> ActAsync(this JobWorld world, params string[] args) => world.RunAsync("jobctl", [.. args, "--actor", "ada"]);

    public static Task<JobResult> ResolveAsync(this JobWorld world, string what, string outcome, params string[] args) =>
        world.ActAsync(["resolve", .. what.Split(' '), "--as", outcome, "--reason", "seen in the bank's list", .. args]);

    public static string Outcome(this JobResult result)
    {
        Assert.True(result.ExitCode == 0, result.ToString());
        return result.Json.GetProperty("outcome").GetString()!;
    }

    /// <summary>Exit 1 and the sentence.</summary>
    public static string Refusal(this JobResult result)
    {
        Assert.True(result.ExitCode == 1, result.ToString());
        Assert.Equal("failed", result.Json.GetProperty("status").GetString());
        return result.Json.GetProperty("error").GetString()!;
    }

    /// <summary>What ada did, oldest first.</summary>
    public static async Task<string[]> DeedsAsync(this JobWorld world) =>
        [.. (await world.QueryAsync("SELECT action || ' ' || subject_type || coalesce(' ' || subject_id, '') AS deed FROM audit_logs WHERE actor = 'ada' ORDER BY id")).Select(row => (string)row.deed)];

    public static Task<long> ParkedAsync(this JobWorld world, string intent, string reason = "user_unknown", string provider = "stripe") => world.ScalarAsync<long>(
        """
        INSERT INTO unmatched_payments (provider_payment_id, reason, data)
        VALUES (@intent, @reason, jsonb_build_object('provider', @provider, 'amount_minor', 1000, 'currency', 'eur')) RETURNING id
        """,
        new { intent, reason, provider });

    public static Task<long> MailAsync(this JobWorld world, string status) => world.ScalarAsync<long>(
        """
        INSERT INTO notifications (kind, to_address, status, attempts, handed_over_at, claimed_by, last_error)
        VALUES ('receipt', 'ada@example.test', @status, 2, now(), gen_random_uuid(), 'the run ended before it knew the answer') RETURNING id
        """,
        new { status });

    /// <summary>The checks by name, as doctor found them.</summary>
    public static async Task<Dictionary<string, JsonElement>> DoctorAsync(this JobWorld world, params string[] args)
    {
        var result = await world.ActAsync(["doctor", .. args]);
        var json = result.Json;
        var wrong = json.GetProperty("status").GetString() == "wrong";
        Assert.True(result.ExitCode == (wrong ? 1 : 0), result.ToString());
        return json.GetProperty("checks").EnumerateArray().ToDictionary(check => check.GetProperty("check").GetString()!, StringComparer.Ordinal);
    }

    public static string Health(this Dictionary<string, JsonElement> checks, string name) => checks[name].GetProperty("health").GetString()!;

    /// <summary>Nothing to complain of - but that the machine of the tests is busy, and the database slow to answer.</summary>
    public static bool IsQuiet(this Dictionary<string, JsonElement> checks, string name) =>
        checks.Health(name) is "ok" or "skipped" || (checks[name].GetProperty("do").GetString() ?? "").EndsWith("nearer to the database", StringComparison.Ordinal);

    public static string Says(this Dictionary<string, JsonElement> checks, string name) => checks[name].GetProperty("says").GetString()!;
}
