using System.Globalization;
using Npgsql;

namespace Jobs.Testing;

/// <summary>The server that <c>JOBS_TEST_DATABASE_URL</c> names: only databases of our own are created on it, and dropped.</summary>
internal sealed class ForeignServer : RunningServer
{
    public const string Variable = "JOBS_TEST_DATABASE_URL";

    public override string WhyNoRestart => $"the server of {Variable} is not ours to stop";

    public override string WhyNoTls => $"the server of {Variable} is used as it is";

    public static async Task<ForeignServer> ConnectAsync(NpgsqlConnectionStringBuilder admin, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancel);
        return new ForeignServer
        {
            Admin = admin,
            Description = string.Create(CultureInfo.InvariantCulture, $"PostgreSQL {connection.PostgreSqlVersion} of {Variable} on {admin.Host}:{admin.Port}"),
        };
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
