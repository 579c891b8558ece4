using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Cleanup;

/// <summary>Sessions, and audit logs that move into the archive table.</summary>
public sealed class CleanupTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData(null, 14 * 24)]
    [InlineData("36h", 36)]
    public async Task A_session_idle_for_longer_than_that_goes_and_one_of_exactly_that_stays(string? idle, int hours)
    {
        await using var world = await fixture.WorldAsync();
        var exactly = await world.SessionAsync(CleanupScene.Now.AddHours(-hours));
        await world.SessionAsync(CleanupScene.Now.AddHours(-hours) - CleanupScene.Moment);
        await world.SessionAsync(CleanupScene.Now.AddYears(-3));
        var fresh = await world.SessionAsync(CleanupScene.Now);

        var run = await world.CleanupAsync(idle is null ? [] : ["--sessions-idle", idle]);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(2, run.Counter("sessions_deleted"));
        Assert.Equal([exactly, fresh], await world.IdsAsync("sessions"));
    }

    [Theory]
    [InlineData("2026-11-22T01:00:00Z", "2026-05-22T01:00:00Z")]
    [InlineData("2026-08-31T01:00:00Z", "2026-02-28T01:00:00Z")]
    [InlineData("2028-08-31T01:00:00Z", "2028-02-29T01:00:00Z")]
    [InlineData("2026-03-01T00:30:00Z", "2025-09-01T00:30:00Z")]
    public async Task An_audit_log_of_exactly_6_calendar_months_stays_and_an_older_one_moves(string now, string edge)
    {
        await using var world = await fixture.WorldAsync();
        var exactly = await world.AuditAsync(DateTime.Parse(edge, null, System.Globalization.DateTimeStyles.AdjustToUniversal));
        var older = await world.AuditAsync(DateTime.Parse(edge, null, System.Globalization.DateTimeStyles.AdjustToUniversal) - CleanupScene.Moment);

        var run = await world.RunAsync("cleanup", "--as-of", now);

        Assert.Equal(1, run.Counter("audit_logs_archived"));
        Assert.Equal([exactly], await world.IdsAsync("audit_logs"));
        Assert.Equal([older], await world.IdsAsync("audit_log_archive"));
    }

    [Fact]
    public async Task The_age_of_audit_logs_is_an_option()
    {
        await using var world = await fixture.WorldAsync();
        var exactly = await world.AuditAsync(CleanupScene.Now.AddDays(-180));
        await world.AuditAsync(CleanupScene.Now.AddDays(-180) - CleanupScene.Moment);

        Assert.Equal(1, (await world.CleanupAsync("--audit-older-than", "180d")).Counter("audit_logs_archived"));
        Assert.Equal([exactly], await world.IdsAsync("audit_logs"));
    }

    [Fact]
    public async Task Every_column_moves_in_batches_and_a_second_run_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        await world.ManyAsync(100);
        await world.AuditAsync(CleanupScene.Edge.AddYears(-100), """{"text": "a\nb \\u0000 \"c\" 😀", "n": 12345678901234567890.123}""");
        await world.ExecuteAsync("INSERT INTO audit_logs (action, created_at) VALUES ('x', '-infinity')");
        await world.ManyAsync(20, "1 month");
        await world.RememberAsync();

        var run = await world.CleanupAsync("--batch-size", "7");
        Assert.Equal(102, run.Counter("audit_logs_archived"));
        Assert.Equal((20, 102), (await world.CountAsync("audit_logs"), await world.CountAsync("audit_log_archive")));
        await world.EachRowOnceAsync([]);

        Assert.Equal(0, (await world.CleanupAsync()).Counter("audit_logs_archived"));
        await world.EachRowOnceAsync([]);
    }

    [Fact]
    public async Task The_limit_is_of_each_kind_and_the_oldest_go_first()
    {
        await using var world = await fixture.WorldAsync();
        await world.ManyAsync(10);
        for (var n = 0; n < 10; n++)
            await world.SessionAsync(CleanupScene.Now.AddDays(-30 - n));

        var run = await world.CleanupAsync("--limit", "4", "--batch-size", "3");

        Assert.Equal((4, 4), (run.Counter("sessions_deleted"), run.Counter("audit_logs_archived")));
        Assert.Equal([1L, 2, 3, 4, 5, 6], await world.IdsAsync("sessions"));
        Assert.Equal([1L, 2, 3, 4], await world.IdsAsync("audit_log_archive"));
    }

    [Theory]
    [InlineData]
    [InlineData("--batch-size", "2")]
    [InlineData("--batch-size", "2", "--limit", "3")]
    public async Task A_dry_run_tells_exactly_what_the_run_then_does(params string[] options)
    {
        await using var world = await fixture.WorldAsync();
        await world.ManyAsync(5);
        await world.RememberAsync();
        for (var n = 0; n < 5; n++)
            await world.SessionAsync(CleanupScene.Now.AddDays(-30 - (n / 2)));

        var dry = await world.CleanupAsync(["--dry-run", .. options]);
        Assert.Equal((5, 5, 0), (await world.CountAsync("sessions"), await world.CountAsync("audit_logs"), await world.CountAsync("job_runs WHERE job = 'cleanup'")));
        var real = await world.CleanupAsync(["--items", .. options]);

        Assert.Equal(dry.Told(), real.Told());
        await world.EachRowOnceAsync([]);
    }

    [Theory]
    [InlineData("4")]
    [InlineData("2")]
    [InlineData("4", "--items")]
    public async Task A_row_that_was_archived_before_and_left_behind_goes_and_is_not_archived_twice(string batch, params string[] options)
    {
        await using var world = await fixture.WorldAsync();
        await world.ManyAsync(10);
        await world.RememberAsync();
        await world.ExecuteAsync("INSERT INTO audit_log_archive (id, actor, action, subject_type, subject_id, run_id, data, created_at) SELECT * FROM audit_logs WHERE id IN (3, 4)");

        Assert.Equal(10, (await world.CleanupAsync(["--batch-size", batch, .. options])).Counter("audit_logs_archived"));
        await world.EachRowOnceAsync([]);
    }

    [Theory]
    [InlineData("4")]
    [InlineData("2")]
    public async Task A_row_whose_id_was_archived_with_another_content_stays_and_is_reported(string batch)
    {
        await using var world = await fixture.WorldAsync();
        await world.ManyAsync(10);
        await world.ExecuteAsync("INSERT INTO audit_log_archive (id, action, created_at) VALUES (3, 'another', now())");
        var dry = await world.CleanupAsync("--dry-run");

        var run = await world.CleanupAsync("--batch-size", batch);

        Assert.Equal(1, run.ExitCode);
        Assert.Equal((9, 1), (run.Counter("audit_logs_archived"), run.Counter("failed")));
        Assert.Equal((9, 1), (dry.Counter("audit_logs_archived"), dry.Counter("failed")));
        Assert.Equal([3L], await world.IdsAsync("audit_logs"));
        Assert.Contains("another content", run.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_is_touched_at_this_moment_stays()
    {
        await using var world = await fixture.WorldAsync();
        var touched = await world.SessionAsync(CleanupScene.Now.AddDays(-30));
        await world.SessionAsync(CleanupScene.Now.AddDays(-30));
        await using var connection = new NpgsqlConnection(world.Server.ConnectionFor(world.Database).ConnectionString + ";Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = $"BEGIN; UPDATE sessions SET updated_at = now() WHERE id = {touched}";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, (await world.CleanupAsync()).Counter("sessions_deleted"));
        command.CommandText = "COMMIT";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, (await world.CleanupAsync()).Counter("sessions_deleted"));
        Assert.Equal([touched], await world.IdsAsync("sessions"));
    }

    [Theory]
    [InlineData("--only", "7")]
    [InlineData("--shard", "0/2")]
    public async Task Options_that_make_no_sense_here_are_refused(string option, string value)
    {
        await using var world = await fixture.WorldAsync();
        await world.SessionAsync(CleanupScene.Now.AddDays(-30));

        Assert.StartsWith("cleanup takes neither --only nor --shard", (await world.CleanupAsync(option, value)).Error(), StringComparison.Ordinal);
        Assert.Equal(1, await world.CountAsync("sessions"));
    }
}
