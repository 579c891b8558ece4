using System.Net;
using System.Net.Sockets;
using Jobs.Database;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Database;

/// <summary>A connection that breaks off in the midst of a row: what was read of it is worth nothing, and the transaction is repeated.</summary>
public sealed class BrokenRowTests(PostgresFixture fixture)
{
    private sealed class Row
    {
        public long Id { get; init; }
        public string Text { get; init; } = "";
    }

    [Fact]
    public async Task A_transaction_whose_answer_breaks_off_within_a_row_is_repeated()
    {
        var server = await fixture.ServerAsync();
        Assert.SkipWhen(server.Host.StartsWith('/'), "the relay speaks TCP, and the server is on a socket");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var connections = 0;
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
                _ = RelayAsync(client, server.Host, server.Port, answerLimit: ++connections == 1 ? 60_000 : long.MaxValue);
            }
        }, TestContext.Current.CancellationToken);
        await using var world = await fixture.WorldAsync();
        var connection = server.ConnectionFor(world.Database);
        connection.Host = "127.0.0.1";
        connection.Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        connection.Pooling = false;
        await using var source = NpgsqlDataSource.Create(connection);

        var rows = await new Db(source).TransactionAsync(
            tx => tx.QueryAsync<Row>("SELECT n AS id, repeat('x', 50000) AS text FROM generate_series(1, 3) AS n"), TestContext.Current.CancellationToken);

        Assert.Equal([(1, 50000), (2, 50000), (3, 50000)], rows.Select(row => ((int)row.Id, row.Text.Length)));
        Assert.Equal(2, connections);
    }

    /// <summary>Hangs up after so many bytes of the server's.</summary>
    private static async Task RelayAsync(TcpClient client, string host, int port, long answerLimit)
    {
        using var server = new TcpClient();
        await server.ConnectAsync(host, port);
        var asking = client.GetStream().CopyToAsync(server.GetStream());
        var (buffer, left) = (new byte[4096], answerLimit);
        int read;
        while (left > 0 && (read = await server.GetStream().ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)))) > 0)
        {
            await client.GetStream().WriteAsync(buffer.AsMemory(0, read));
            left -= read;
        }

        client.Dispose();
        await Task.WhenAny(asking);
    }
}
