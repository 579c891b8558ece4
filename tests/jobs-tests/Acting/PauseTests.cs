using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;

namespace Jobs.Tests.Acting;

public sealed class PauseTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_paused_job_is_skipped_with_the_reason_until_it_is_resumed()
    {
        await using var world = await fixture.WorldAsync();

        Assert.Equal("paused", (await world.ActAsync("pause", "autopayment", "--reason", "wrong prices")).Outcome());
        Assert.Equal("unchanged", (await world.ActAsync("pause", "autopayment", "--reason", "wrong prices")).Outcome());
        var skipped = await world.RunAsync("autopayment");
        Assert.Equal((0, "skipped"), (skipped.ExitCode, skipped.Json.GetProperty("status").GetString()));
        Assert.Contains("wrong prices", skipped.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("resumed", (await world.ActAsync("resume", "autopayment")).Outcome());
        Assert.Equal("unchanged", (await world.ActAsync("resume", "autopayment")).Outcome());

        (await world.RunAsync("autopayment")).Done();
        Assert.Equal(["job.paused job_pause", "job.resumed job_pause"], await world.DeedsAsync());
    }

    [Fact]
    public async Task All_that_take_money_from_cards_are_paused_at_once_and_it_ends_by_itself()
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal("paused", (await world.ActAsync("pause", "all-charging", "--reason", "audit", "--for", "2h")).Outcome());
        Assert.Equal(
            ["autopayment ada", "process-payment-queue ada"],
            (await world.QueryAsync("SELECT job || ' ' || actor AS row FROM job_pauses WHERE until BETWEEN now() + interval '1 hour' AND now() + interval '3 hours' ORDER BY 1")).Select(r => (string)r.row));
        Assert.Equal("resumed", (await world.ActAsync("resume", "all-charging")).Outcome());
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_pauses"));
    }

    [Fact]
    public async Task After_a_restored_backup_nobody_is_charged_before_Stripe_was_asked_who_paid_meanwhile()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO job_pauses (job, reason, actor) VALUES
                ('autopayment', 'restored from backup of 2026-11-20: resume when match-successful-payments has caught up', 'backup-database'),
                ('match-successful-payments', 'restored from backup of 2026-11-20', 'backup-database')
            """);

        Assert.Contains("match-successful-payments has not been through since", (await world.ActAsync("resume", "autopayment")).Refusal(), StringComparison.Ordinal);
        Assert.Equal("resumed", (await world.ActAsync("resume", "match-successful-payments")).Outcome());
        Assert.Equal(0, (await world.RunAsync("match-successful-payments")).ExitCode);
        Assert.Equal("resumed", (await world.ActAsync("resume", "autopayment")).Outcome());
    }

    [Fact]
    public async Task With_anyway_it_is_resumed_all_the_same()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES ('autopayment', 'restored from backup of T')");
        Assert.Equal("resumed", (await world.ActAsync("resume", "autopayment", "--anyway", "--dry-run")).Outcome());
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM job_pauses"));
        Assert.Equal("resumed", (await world.ActAsync("resume", "autopayment", "--anyway")).Outcome());
    }

    [Theory]
    [InlineData("'autopyament' is none of the jobs; did you mean autopayment?", "pause", "autopyament", "--reason", "x")]
    [InlineData("'record-payment' is none of the jobs", "pause", "record-payment", "--reason", "x")]
    [InlineData("say which job", "pause", "--reason", "x")]
    [InlineData("--reason is missing", "pause", "autopayment")]
    [InlineData("--until is over already", "pause", "autopayment", "--reason", "x", "--until", "2020-01-01T00:00:00Z")]
    [InlineData("--until and --for say the same twice", "pause", "autopayment", "--reason", "x", "--until", "2h", "--for", "2h")]
    public async Task A_mistake_is_one_sentence(string sentence, params string[] args)
    {
        await using var world = await fixture.WorldAsync();
        Assert.Contains(sentence, (await world.ActAsync(args)).Refusal(), StringComparison.Ordinal);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_pauses"));
    }
}
