using Jobs.Testing;
using Jobs.Tests.Rig;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace Jobs.Tests.Rig;

/// <summary>The one PostgreSQL of all tests, started when the first of them asks for it.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private readonly Lazy<Task<ThrowawayPostgres>> _server = new(StartAsync);

    public Task<ThrowawayPostgres> ServerAsync() => _server.Value;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
            await (await _server.Value).DisposeAsync();
    }

    private static async Task<ThrowawayPostgres> StartAsync()
    {
        var server = await ThrowawayPostgres.StartAsync();
        TestContext.Current.SendDiagnosticMessage("{0}", server.Description);
        return server;
    }
}
