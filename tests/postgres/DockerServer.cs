using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace Jobs.Testing;

/// <summary>A server of our own in a container, removed with us.</summary>
internal sealed class DockerServer : RunningServer
{
    private const string Image = "postgres:17";

    /// <summary>Standard input open: the container lives; closed: it is removed with its data.</summary>
    private const string RemoveAtEnd = "trap '' HUP INT TERM PIPE; cat >/dev/null; docker rm -f -v \"$1\" >/dev/null 2>&1";

    private readonly Supervisor _supervisor;
    private readonly string _container;

    private DockerServer(Supervisor supervisor, string container)
    {
        _supervisor = supervisor;
        _container = container;
    }

    public override string WhyNoTls => "TLS is only set up for server programs on this machine, not in a container";

    public static async Task<bool> PossibleAsync(CancellationToken cancel) =>
        Command.Find("docker") is not null
        && (await Command.RunAsync(TimeSpan.FromSeconds(4), "docker", ["info", "--format", "{{.ServerVersion}}"], cancel)).Succeeded;

    public static async Task<DockerServer> LaunchAsync(ThrowawayOptions options, CancellationToken cancel)
    {
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var container = "jobs-pg-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var supervisor = new Supervisor(new ServerAccount(null, []), RemoveAtEnd, container);
        try
        {
            var port = await RunContainerAsync(container, password, options, cancel);
            var server = new DockerServer(supervisor, container)
            {
                Admin = Loopback(port, password),
                Description = string.Create(CultureInfo.InvariantCulture, $"PostgreSQL in Docker ({Image}) on 127.0.0.1:{port}{(options.Durable ? ", durable" : "")}"),
            };
            await server.WaitUntilReadyAsync(cancel);
            return server;
        }
        catch
        {
            await supervisor.EndAsync();
            supervisor.Dispose();
            throw;
        }
    }

    public override async Task StopAsync(bool immediate, CancellationToken cancel) =>
        // SIGQUIT is PostgreSQL's immediate shutdown, SIGINT its fast one.
        await MustAsync(["stop", "--signal", immediate ? "SIGQUIT" : "SIGINT", _container], cancel);

    public override async Task StartAsync(CancellationToken cancel)
    {
        await MustAsync(["start", _container], cancel);
        await WaitUntilReadyAsync(cancel);
    }

    public override async ValueTask DisposeAsync()
    {
        await _supervisor.EndAsync();
        _supervisor.Dispose();
    }

    /// <summary>The port is chosen here: Docker would choose another one at every start.</summary>
    private static async Task<int> RunContainerAsync(string container, string password, ThrowawayOptions options, CancellationToken cancel)
    {
        string[] speed = options.Durable ? [] : ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];
        for (var attempt = 1; ; attempt++)
        {
            var port = FreePort.Choose();
            var run = await Command.RunAsync(
                TimeSpan.FromMinutes(5), "docker",
                [
                    "run", "-d", "--name", container, "-p", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}:5432"), "--shm-size", "256m",
                    "-e", "POSTGRES_PASSWORD=" + password, "-e", "POSTGRES_INITDB_ARGS=--no-sync -E UTF8 --locale=C.UTF-8",
                    Image, "-c", "max_connections=200", "-c", "timezone=UTC", .. speed,
                ],
                cancel);
            if (run.Succeeded)
                return port;
            await Command.RunAsync(TimeSpan.FromSeconds(30), "docker", ["rm", "-f", "-v", container], cancel);
            if (attempt == 3)
                throw new InvalidOperationException("docker run failed: " + run.Output);
        }
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        // The image starts a first server on its socket only, to initialize; what answers on the port is the real one.
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(Admin.ConnectionString) { Pooling = false, Timeout = 2 }.ConnectionString);
                await connection.OpenAsync(cancel);
                return;
            }
            catch (NpgsqlException) when (attempt < 150)
            {
                await Task.Delay(200, cancel);
            }
        }
    }

    private static async Task MustAsync(string[] arguments, CancellationToken cancel)
    {
        var run = await Command.RunAsync(TimeSpan.FromMinutes(1), "docker", arguments, cancel);
        if (!run.Succeeded)
            throw new InvalidOperationException($"docker {arguments[0]} failed: {run.Output}");
    }
}
