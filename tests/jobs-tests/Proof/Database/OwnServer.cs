using Jobs.Testing;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>A PostgreSQL that keeps what it said it has, as in production, and that only these tests use, one after the other.</summary>
public sealed class OwnServer : IAsyncLifetime
{
    private readonly PostgresFixture _fixture = new(new ThrowawayOptions { OwnServer = true, Durable = true });

    public Task<ThrowawayPostgres> ServerAsync() => _fixture.ServerAsync();

    /// <summary>The scenario's world on this server.</summary>
    internal async Task<JobWorld> WorldAsync(Scenario scenario)
    {
        var world = await _fixture.WorldAsync();
        await scenario.Seed(world);
        await world.ExecuteAsync($"ALTER SEQUENCE subscriptions_id_seq RESTART WITH {Truth.FirstNewSubscription}");
        await world.Stripe.ClearRequestsAsync();
        return world;
    }

    public ValueTask InitializeAsync() => _fixture.InitializeAsync();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();
}

[CollectionDefinition(nameof(OwnServer))]
public sealed class OwnServerTests : ICollectionFixture<OwnServer>;
