using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Jobs.Testing;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Proof.Database;

/// <summary>A real PgBouncer in front of a server, where one is installed (or JOBS_PGBOUNCER names it).</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly DirectoryInfo _folder;

    private PgBouncer(Process process, DirectoryInfo folder, int port) => (_process, _folder, Port) = (process, folder, port);

    public int Port { get; }

    /// <summary>Null where none is installed.</summary>
    public static string? Program { get; } = Environment.GetEnvironmentVariable("JOBS_PGBOUNCER") is { Length: > 0 } given ? given
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Select(folder => Path.Combine(folder, "pgbouncer")).FirstOrDefault(File.Exists);

    /// <param name="server">Where it leads.</param>
    /// <param name="mode">session or transaction.</param>
    public static async Task<PgBouncer> StartAsync(ThrowawayPostgres server, string mode)
    {
        var folder = Directory.CreateTempSubdirectory("pgbouncer");
        File.SetUnixFileMode(folder.FullName, (UnixFileMode)0b111_101_101);
        var port = FreePort();
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "users.txt"), $"\"{PostgresFixture.JobsLogin}\" \"{PostgresFixture.JobsPassword}\"\n");
        var settings = Path.Combine(folder.FullName, "pgbouncer.ini");
        await File.WriteAllTextAsync(settings, string.Create(
            CultureInfo.InvariantCulture,
            $"""
            [databases]
            * = host={server.Host} port={server.Port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {folder.FullName}/users.txt
            pool_mode = {mode}
            """));
        // It refuses to be root.
        string[] user = Environment.UserName == "root" ? ["-u", "nobody"] : [];
        var process = Process.Start(new ProcessStartInfo(Program!, [.. user, settings]) { UseShellExecute = false, RedirectStandardError = true })!;
        var log = process.StandardError.ReadToEndAsync();
        var pooler = new PgBouncer(process, folder, port);
        for (var end = DateTime.UtcNow.AddSeconds(60); !await ListensAsync(port); await Task.Delay(50))
        {
            if (!process.HasExited && DateTime.UtcNow < end)
                continue;
            var said = process.HasExited ? await log : "no answer";
            await pooler.DisposeAsync();
            throw new InvalidOperationException($"pgbouncer does not listen: {said}");
        }

        return pooler;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<bool> ListensAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }
}
