using System.Text.Json;
using Jobs.Testing;
using Jobs.Tests.Rig;
using Npgsql;

namespace Jobs.Demo;

/// <summary>How a run ended, for the page and the story.</summary>
internal sealed record Run(string Job, int ExitCode, string Status, long DurationMs, IReadOnlyDictionary<string, long> Counters, string? Error)
{
    public long this[string counter] => Counters.GetValueOrDefault(counter);
}

/// <summary>A throw-away PostgreSQL, the fake providers, and the published jobs between them.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private const string Login = "jobs_demo_login";
    private const int RequestsPerSecond = 90;
    private readonly Dictionary<string, string?> _environment;
    private readonly string _name;
    private readonly DirectoryInfo _backups = Directory.CreateTempSubdirectory("demo-backups");
    private int _struck;

    private Stage(ThrowawayPostgres server, string name, FakeStripeProcess stripe, SumUpMerchant sumUp, string password)
    {
        (Server, _name, Stripe, SumUp) = (server, name, stripe, sumUp);
        Database = new Database(NpgsqlDataSource.Create(server.ConnectionFor(name)));
        _environment = new(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = server.UrlFor(name, Login, password),
            ["STRIPE_SECRET_KEY"] = "sk_test_demo",
            ["STRIPE_API_BASE"] = stripe.Base.ToString(),
            ["STRIPE_MAX_REQUESTS_PER_SECOND"] = RequestsPerSecond.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["STAFF_EMAIL"] = "staff@example.test",
            ["PAYMENT_ACTION_URL"] = "https://example.test/pay/{payment_id}",
            ["ACCOUNT_URL"] = "https://example.test/account",
            ["SMTP_URL"] = Mails.Url,
            ["MAIL_FROM"] = "The Club <club@example.test>",
            ["BUSINESS_NAME"] = "The Club",
            ["BUSINESS_ADDRESS"] = "12 rue des Lilas|75020 Paris",
            ["JOBS_TRIGGER"] = "demo",
            // The customers of the demo are quick with their cards.
            ["JOBS_TERMINAL_POLL_EVERY"] = "100ms",
            ["JOBS_TERMINAL_NOT_PAID_AFTER"] = "2s",
        };
        sumUp.OpenTo(_environment);
        if (CanBackUp)
        {
            _environment["BACKUP_URL"] = $"file://{_backups.FullName}";
            _environment["BACKUP_DATABASE_URL"] = server.UrlFor(name);
            _environment["JOBS_PG_BIN"] = server.BinDirectory;
        }
    }

    /// <summary>The programs that dump and restore come with the server, or not.</summary>
    public bool CanBackUp => Server.BinDirectory is not null && File.Exists(Path.Combine(Server.BinDirectory, "pg_dump"));

    public ThrowawayPostgres Server { get; }
    public FakeStripeProcess Stripe { get; }
    public SumUpMerchant SumUp { get; }
    public Database Database { get; }
    public Mails Mails { get; } = new();

    /// <summary>Whatever the clock says: reminders are not sent at night.</summary>
    public string[] MidMorning { get; } =
        ["--as-of", Business.Zone.StartOfDay(Business.Zone.Date(DateTime.UtcNow)).AddHours(10.5).ToString("O", System.Globalization.CultureInfo.InvariantCulture)];

    public static async Task<Stage> SetAsync(CancellationToken cancel)
    {
        var server = await ThrowawayPostgres.StartAsync(cancellationToken: cancel);
        FakeStripeProcess? stripe = null;
        try
        {
            // The limiter is on, above what the jobs are allowed: one answer of 429 would be a fault of theirs.
            stripe = await FakeStripeProcess.StartAsync("--rate", "100", "--latency", "60");
            var name = await server.CreateDatabaseAsync(cancellationToken: cancel);
            var stage = new Stage(server, name, stripe, await SumUpMerchant.CreateAsync(Counter.Readers), Guid.NewGuid().ToString("N"));
            await stage.MigrateAsync(cancel);
            return stage;
        }
        catch
        {
            if (stripe is not null)
                await stripe.DisposeAsync();
            await server.DisposeAsync();
            throw;
        }
    }

    private async Task MigrateAsync(CancellationToken cancel)
    {
        var owner = new Dictionary<string, string?>(StringComparer.Ordinal) { ["DATABASE_URL"] = Server.UrlFor(_name) };
        using var migrate = JobProcess.Start("migrate", owner, "--output", "json");
        Keep("migrate", await migrate.EndAsync());
        await Server.ExecuteAsync(_name, await File.ReadAllTextAsync(RepositoryFile("migrations/grants.sql"), cancel), cancel);
        var password = new Uri(_environment["DATABASE_URL"]!).UserInfo.Split(':')[1];
        await Server.ExecuteAsync(_name, $"DROP ROLE IF EXISTS {Login}; CREATE ROLE {Login} LOGIN PASSWORD '{password}' IN ROLE jobs", cancel);
    }

    public JobProcess Start(string job, params string[] args) => JobProcess.Start(job, _environment, ["--output", "json", .. args]);

    /// <summary>jobctl, by hand: it has no result to keep.</summary>
    public async Task<JobResult> LookAsync(params string[] args)
    {
        using var process = JobProcess.Start("jobctl", _environment, args);
        return await process.EndAsync();
    }

    public async Task<Run> RunAsync(string job, params string[] args)
    {
        using var process = Start(job, args);
        return Keep(job, await process.EndAsync());
    }

    public Run Keep(string job, JobResult result)
    {
        if (result.Stdout.Length == 0)
            throw new InvalidOperationException($"{job} said nothing: {result}");
        var json = result.Json;
        var counters = json.GetProperty("counters").EnumerateObject().ToDictionary(c => c.Name, c => c.Value.GetInt64(), StringComparer.Ordinal);
        return new Run(
            job, result.ExitCode, json.GetProperty("status").GetString()!, json.GetProperty("duration_ms").GetInt64(), counters,
            json.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.String ? error.GetString() : null);
    }

    public static string RepositoryFile(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Jobs.sln")))
                return Path.Combine(folder.FullName, path);
        }

        throw new InvalidOperationException("the demo does not run inside the repository");
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _struck, 1) == 1)
            return;
        await Database.DisposeAsync();
        await Server.ExecuteAsync(_name, $"DROP ROLE IF EXISTS {Login}");
        await Stripe.DisposeAsync();
        await Mails.DisposeAsync();
        await Server.DisposeAsync();
        _backups.Delete(recursive: true);
    }
}
