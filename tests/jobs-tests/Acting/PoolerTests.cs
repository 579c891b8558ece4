using System.Globalization;
using Jobs.Tests.Proof.Database;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Acting;

/// <summary>A real PgBouncer between doctor and PostgreSQL, where one is installed (or JOBS_PGBOUNCER names it).</summary>
public sealed class PoolerTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData("transaction", "which shares connections by the transaction")]
    [InlineData("session", "it keeps a session")]
    public async Task A_pooler_is_recognised_with_its_mode_and_does_no_harm(string mode, string says)
    {
        Assert.SkipWhen(PgBouncer.Program is null, "pgbouncer is not installed");
        await using var world = await fixture.WorldAsync();
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the server is on a socket");
        await using var pooler = await PgBouncer.StartAsync(world.Server, mode);
        world.Environment["DATABASE_URL"] = world.Environment["DATABASE_URL"]!.Replace(
            string.Create(CultureInfo.InvariantCulture, $"@{world.Server.Host}:{world.Server.Port}/"),
            string.Create(CultureInfo.InvariantCulture, $"@127.0.0.1:{pooler.Port}/"), StringComparison.Ordinal);

        var checks = await world.DoctorAsync("--offline");

        Assert.Contains(says, checks.Says("pooler"), StringComparison.Ordinal);
        Assert.All(["database", "pooler", "time-outs", "role", "migrations", "bookings"], name => Assert.True(checks.IsQuiet(name), $"{checks[name]}"));
    }
}
