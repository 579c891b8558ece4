using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace Jobs.Testing;

/// <summary>A server of our own from the programs on this machine: a fresh folder, a free loopback port, gone with us.</summary>
internal sealed class LocalServer : RunningServer
{
    private readonly Supervisor _supervisor;
    private readonly string _folder;

    private LocalServer(Supervisor supervisor, string folder)
    {
        _supervisor = supervisor;
        _folder = folder;
    }

    public static async Task<LocalServer> LaunchAsync(string bin, ThrowawayOptions options, CancellationToken cancel)
    {
        var account = await ServerAccount.ChooseAsync(cancel);
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var folder = await FillFolderAsync(account, options, password, cancel);
        var supervisor = new Supervisor(account, Script(), bin, folder);
        try
        {
            if (!await supervisor.AnswerAsync(cancel))
                throw new InvalidOperationException($"initdb in {bin} failed: {LastWords(folder)}");
            var port = await StartOnFreePortAsync(supervisor, folder, cancel);
            var version = await VersionAsync(bin, cancel);
            return new LocalServer(supervisor, folder)
            {
                Admin = Loopback(port, password),
                Description = string.Create(CultureInfo.InvariantCulture, $"PostgreSQL {version} from {bin} on 127.0.0.1:{port}{(options.Tls ? " with TLS" : "")}{(options.Durable ? ", durable" : "")}"),
                BinDirectory = bin,
                SocketDirectory = folder,
                RootCertificatePath = options.Tls ? Path.Combine(folder, "root.crt") : null,
            };
        }
        catch
        {
            await supervisor.EndAsync();
            supervisor.Dispose();
            throw;
        }
    }

    public override async Task StopAsync(bool immediate, CancellationToken cancel)
    {
        if (!await _supervisor.TellAsync(immediate ? "stop immediate" : "stop fast", cancel))
            throw new InvalidOperationException("PostgreSQL did not stop: " + LastWords(_folder));
    }

    public override async Task StartAsync(CancellationToken cancel)
    {
        if (!await _supervisor.TellAsync(string.Create(CultureInfo.InvariantCulture, $"start {Admin.Port}"), cancel))
            throw new InvalidOperationException("PostgreSQL did not start: " + LastWords(_folder));
    }

    public override async ValueTask DisposeAsync()
    {
        await _supervisor.EndAsync();
        _supervisor.Dispose();
    }

    private static async Task<int> StartOnFreePortAsync(Supervisor supervisor, string folder, CancellationToken cancel)
    {
        for (var attempt = 1; attempt <= 5; attempt++)
        {
            var port = FreePort.Choose();
            if (await supervisor.TellAsync(string.Create(CultureInfo.InvariantCulture, $"start {port}"), cancel))
                return port;
        }

        throw new InvalidOperationException("PostgreSQL did not start: " + LastWords(folder));
    }

    /// <summary>The folder also holds the socket, whose path must stay under 107 bytes.</summary>
    private static async Task<string> FillFolderAsync(ServerAccount account, ThrowawayOptions options, string password, CancellationToken cancel)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("Server programs are run on Linux and macOS only: use Docker or JOBS_TEST_DATABASE_URL.");
        var parent = Path.GetTempPath();
        if ((account.Owner is not null || parent.Length > 60) && Directory.Exists("/tmp"))
            parent = "/tmp";
        var folder = Path.Combine(parent, "jobs-pg-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)));
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        await WriteAsync(Path.Combine(folder, "password"), password, cancel);
        await WriteAsync(Path.Combine(folder, "throwaway.conf"), Settings(folder, options), cancel);
        if (options.Tls)
        {
            var certificates = ThrowawayCertificates.Create();
            await WriteAsync(Path.Combine(folder, "root.crt"), certificates.RootPem, cancel);
            await WriteAsync(Path.Combine(folder, "server.crt"), certificates.ServerPem, cancel);
            await WriteAsync(Path.Combine(folder, "server.key"), certificates.ServerKeyPem, cancel);
        }

        if (account.Owner is not null)
        {
            var given = await Command.RunAsync(TimeSpan.FromSeconds(10), "chown", ["-R", account.Owner, folder], cancel);
            if (!given.Succeeded)
                throw new InvalidOperationException($"{folder} could not be given to the server's user: {given.Output}");
        }

        return folder;
    }

    [UnsupportedOSPlatform("windows")]
    private static async Task WriteAsync(string path, string content, CancellationToken cancel)
    {
        await File.WriteAllTextAsync(path, content, cancel);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static string Settings(string folder, ThrowawayOptions options)
    {
        var settings = $"""
            listen_addresses = '127.0.0.1'
            unix_socket_directories = '{folder}'
            max_connections = 200
            shared_buffers = 128MB
            timezone = 'UTC'
            log_timezone = 'UTC'
            log_min_messages = fatal
            log_min_error_statement = panic
            log_checkpoints = off

            """;
        if (!options.Durable)
        {
            settings += """
                fsync = off
                synchronous_commit = off
                full_page_writes = off
                wal_level = minimal
                max_wal_senders = 0

                """;
        }

        if (options.Tls)
        {
            settings += $"""
                ssl = on
                ssl_cert_file = '{folder}/server.crt'
                ssl_key_file = '{folder}/server.key'

                """;
        }

        return settings;
    }

    private static string Script()
    {
        using var stream = typeof(LocalServer).Assembly.GetManifestResourceStream("supervisor.sh")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static async Task<string> VersionAsync(string bin, CancellationToken cancel)
    {
        var version = await Command.RunAsync(TimeSpan.FromSeconds(10), Path.Combine(bin, "postgres"), ["--version"], cancel);
        return version.Output.Split(' ').ElementAtOrDefault(2) ?? "";
    }

    private static string LastWords(string folder) =>
        string.Join(" | ", new[] { "supervisor.log", "server.log" }
            .Select(name => Path.Combine(folder, name))
            .Where(File.Exists)
            .SelectMany(path => File.ReadLines(path).TakeLast(4)));
}
