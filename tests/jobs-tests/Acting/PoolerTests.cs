using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
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
        var program = Program();
        Assert.SkipWhen(program is null, "pgbouncer is not installed");
        await using var world = await fixture.WorldAsync();
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the server is on a socket");
        var folder = Directory.CreateTempSubdirectory("pgbouncer");
        File.SetUnixFileMode(folder.FullName, (UnixFileMode)0b111_101_101);
        var port = FreePort();
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "users.txt"), $"\"{PostgresFixture.JobsLogin}\" \"{PostgresFixture.JobsPassword}\"\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            Path.Combine(folder.FullName, "pgbouncer.ini"),
            $"""
            [databases]
            * = host={world.Server.Host} port={world.Server.Port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {folder.FullName}/users.txt
            pool_mode = {mode}
            """,
            TestContext.Current.CancellationToken);
        // It refuses to be root.
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardError = true };
        string[] user = Environment.UserName == "root" ? ["-u", "nobody"] : [];
        foreach (var argument in (string[])[.. user, Path.Combine(folder.FullName, "pgbouncer.ini")])
            start.ArgumentList.Add(argument);
        using var pooler = Process.Start(start)!;
        var log = pooler.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            await ListensAsync(port, pooler, log);
            world.Environment["DATABASE_URL"] = CrashPort(world, port);

            var checks = await world.DoctorAsync("--offline");

            Assert.Contains(says, checks.Says("pooler"), StringComparison.Ordinal);
            Assert.All(["database", "pooler", "time-outs", "role", "migrations", "bookings"], name => Assert.True(checks.IsQuiet(name), $"{checks[name]}"));
        }
        finally
        {
            pooler.Kill();
            await pooler.WaitForExitAsync(CancellationToken.None);
            folder.Delete(recursive: true);
        }
    }

    private static string CrashPort(JobWorld world, int port) => world.Environment["DATABASE_URL"]!.Replace(
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"@{world.Server.Host}:{world.Server.Port}/"),
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"@127.0.0.1:{port}/"), StringComparison.Ordinal);

    private static async Task ListensAsync(int port, Process pooler, Task<string> log)
    {
        for (var end = DateTime.UtcNow.AddSeconds(60); ; await Task.Delay(50))
        {
            if (pooler.HasExited || DateTime.UtcNow > end)
                throw new InvalidOperationException($"pgbouncer does not listen: {(pooler.HasExited ? await log : "no answer")}");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException)
            {
                // Not yet.
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string? Program() => Environment.GetEnvironmentVariable("JOBS_PGBOUNCER") is { Length: > 0 } given ? given
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Select(folder => Path.Combine(folder, "pgbouncer")).FirstOrDefault(File.Exists);
}
