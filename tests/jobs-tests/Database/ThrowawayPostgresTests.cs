using System.Diagnostics;
using Dapper;
using Jobs.Database;
using Jobs.Testing;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Database;

[Trait("Category", "Proof")]
public sealed class ThrowawayPostgresTests(PostgresFixture fixture)
{
    private const string NoteVariable = "JOBS_TEST_PARENT_NOTE";

    [Fact]
    public async Task Copies_of_a_template_in_use_can_be_made_in_parallel()
    {
        var server = await fixture.ServerAsync();
        var template = await server.CreateDatabaseAsync();
        await server.ExecuteAsync(template, "CREATE TABLE marks AS SELECT 7 AS id");
        await using var busy = new NpgsqlConnection(server.ConnectionFor(template).ConnectionString + ";Pooling=false");
        await busy.OpenAsync();

        var copies = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => server.CreateDatabaseAsync(template)));

        Assert.Equal(6, copies.Distinct(StringComparer.Ordinal).Count());
        foreach (var copy in copies)
        {
            Assert.Equal(7, await ScalarAsync<int>(server.UrlFor(copy), "SELECT id FROM marks"));
            await server.DropDatabaseAsync(copy);
        }

        await server.DropDatabaseAsync(template);
        await Assert.ThrowsAsync<PostgresException>(() => ScalarAsync<int>(server.UrlFor(template), "SELECT 1"));
    }

    [Fact]
    public async Task The_server_speaks_utf8_and_utc()
    {
        var server = await fixture.ServerAsync();

        Assert.Equal("UTF8", await ScalarAsync<string>(server.AdminUrl, "SHOW server_encoding"));
        Assert.SkipUnless(server.Supports(Capability.Restart), server.WhyNot(Capability.Restart) ?? "");
        Assert.Equal("UTC", await ScalarAsync<string>(server.AdminUrl, "SELECT setting FROM pg_settings WHERE name = 'TimeZone' AND source = 'configuration file'"));
    }

    [Fact]
    public async Task Another_user_connects_with_his_own_password()
    {
        var server = await fixture.ServerAsync();
        Assert.SkipUnless(server.Supports(Capability.Superuser), server.WhyNot(Capability.Superuser) ?? "");
        var role = "jobs_test_" + Guid.NewGuid().ToString("N")[..8];
        await server.ExecuteAsync("postgres", $"CREATE ROLE {role} LOGIN PASSWORD 'p@ss/w:rd?'");

        Assert.Equal(role, await ScalarAsync<string>(server.UrlFor("postgres", role, "p@ss/w:rd?"), "SELECT current_user::text"));
        await server.ExecuteAsync("postgres", $"DROP ROLE {role}");
    }

    [Fact]
    public async Task A_restart_keeps_port_and_data()
    {
        await using var server = await OwnAsync(new ThrowawayOptions { Durable = true, OwnServer = true }, Capability.Restart);
        var database = await server.CreateDatabaseAsync();
        await server.ExecuteAsync(database, "CREATE TABLE marks AS SELECT 7 AS id");
        var url = server.UrlFor(database);

        await server.RestartAsync(immediate: true);
        Assert.Equal(7, await ScalarAsync<int>(url, "SELECT id FROM marks"));

        await server.StopAsync();
        await Assert.ThrowsAsync<NpgsqlException>(() => ScalarAsync<int>(url, "SELECT 1"));
        await server.StartAgainAsync();
        Assert.Equal(7, await ScalarAsync<int>(url, "SELECT id FROM marks"));
    }

    [Fact]
    public async Task The_socket_works_through_a_url_too()
    {
        var server = await fixture.ServerAsync();
        Assert.SkipUnless(server.Supports(Capability.UnixSocket), server.WhyNot(Capability.UnixSocket) ?? "");

        var url = $"postgresql:///postgres?host={Uri.EscapeDataString(server.SocketDirectory!)}&port={server.Port}&user={server.User}&password={server.Password}";

        Assert.True(await ScalarAsync<bool>(url, "SELECT inet_client_addr() IS NULL"));
    }

    [Fact]
    public async Task With_tls_the_certificate_is_verified_as_the_url_asks()
    {
        await using var server = await OwnAsync(new ThrowawayOptions { Tls = true, OwnServer = true }, Capability.Tls);
        const string encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        var root = Uri.EscapeDataString(server.RootCertificatePath!);
        var byName = server.AdminUrl.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
        var wrong = Path.GetTempFileName();
        await File.WriteAllTextAsync(wrong, ThrowawayCertificates.Create().RootPem);

        foreach (var address in new[] { server.AdminUrl, byName })
        {
            Assert.True(await ScalarAsync<bool>($"{address}?sslmode=require", encrypted));
            Assert.True(await ScalarAsync<bool>($"{address}?sslmode=verify-ca&sslrootcert={root}", encrypted));
            Assert.True(await ScalarAsync<bool>($"{address}?sslmode=verify-full&sslrootcert={root}", encrypted));
            Assert.False(await ScalarAsync<bool>($"{address}?sslmode=disable", encrypted));
            foreach (var mode in new[] { "require", "verify-ca", "verify-full" })
                await Assert.ThrowsAnyAsync<Exception>(() => ScalarAsync<bool>($"{address}?sslmode={mode}&sslrootcert={wrong}", encrypted));
        }

        await Assert.ThrowsAnyAsync<Exception>(() => ScalarAsync<bool>($"{byName}?sslmode=verify-full", encrypted));
        File.Delete(wrong);
    }

    [Fact]
    public async Task A_server_without_tls_is_refused_where_tls_is_required()
    {
        await using var server = await OwnAsync(new ThrowawayOptions { OwnServer = true }, Capability.Restart);

        Assert.Equal(1, await ScalarAsync<int>(server.AdminUrl, "SELECT 1"));
        foreach (var mode in new[] { "require", "verify-ca", "verify-full" })
            await Assert.ThrowsAsync<NpgsqlException>(() => ScalarAsync<int>($"{server.AdminUrl}?sslmode={mode}", "SELECT 1"));
    }

    [Fact]
    public async Task Nothing_is_left_once_it_is_disposed_of()
    {
        var server = await OwnAsync(new ThrowawayOptions { OwnServer = true }, Capability.UnixSocket);
        var folder = server.SocketDirectory!;
        Assert.True(Directory.Exists(folder));

        var watch = Stopwatch.StartNew();
        await server.DisposeAsync();
        await server.DisposeAsync();

        Assert.False(Directory.Exists(folder));
        await Assert.ThrowsAsync<NpgsqlException>(() => ScalarAsync<int>(server.AdminUrl, "SELECT 1"));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 20);
    }

    [Fact]
    public async Task Nothing_is_left_of_a_parent_that_is_killed()
    {
        var note = Path.GetTempFileName();
        string[] program = Environment.ProcessPath is { } path && !path.EndsWith("dotnet", StringComparison.Ordinal) ? [path] : ["dotnet", typeof(ThrowawayPostgresTests).Assembly.Location];
        var start = new ProcessStartInfo(program[0], [.. program[1..], "-explicit", "only", "-method", $"{typeof(ThrowawayPostgresTests).FullName}.{nameof(A_parent_to_be_killed)}"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        start.Environment[NoteVariable] = note;
        using var parent = Process.Start(start)!;
        await Eventually.HoldsAsync(() => parent.HasExited || File.ReadAllText(note).EndsWith('\n'));
        var folder = File.ReadAllText(note).Trim();
        Assert.SkipUnless(folder.Length > 0, "only servers started from this machine's programs end with their parent");
        Assert.True(Directory.Exists(folder));

        parent.Kill();

        await Eventually.HoldsAsync(() => !Directory.Exists(folder), what: "the server and its folder are gone");
        File.Delete(note);
    }

    /// <summary>Not a test of its own: the process that the test above kills.</summary>
    [Fact(Explicit = true)]
    public async Task A_parent_to_be_killed()
    {
        var note = Environment.GetEnvironmentVariable(NoteVariable);
        Assert.SkipWhen(note is null, "it is started by another test");
        await using var server = await OwnAsync(new ThrowawayOptions { OwnServer = true }, Capability.UnixSocket);
        await File.WriteAllTextAsync(note!, server.SocketDirectory + "\n");
        await Task.Delay(TimeSpan.FromMinutes(1));
    }

    private static async Task<ThrowawayPostgres> OwnAsync(ThrowawayOptions options, Capability needed)
    {
        var server = await ThrowawayPostgres.StartAsync(options);
        if (server.WhyNot(needed) is { } reason)
        {
            await server.DisposeAsync();
            Assert.Skip(reason);
        }

        return server;
    }

    private static async Task<T?> ScalarAsync<T>(string url, string sql)
    {
        var settings = DatabaseUrl.Parse(url);
        settings.Pooling = false;
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        return await connection.ExecuteScalarAsync<T>(sql);
    }
}
