using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Jobs.Testing;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>A small business to back up, a folder for it, and what is found there afterwards.</summary>
internal static class BackupScene
{
    /// <summary>Rows in many tables, receipts among them, under the login for backups; the folder is the world's own.</summary>
    public static async Task<(JobWorld World, DirectoryInfo Folder)> BusinessAsync(this PostgresFixture fixture)
    {
        var world = await fixture.FreshWorldAsync();
        return (world, await world.BusinessAsync());
    }

    public static async Task<DirectoryInfo> BusinessAsync(this JobWorld world)
    {
        Assert.SkipWhen(world.Server.WhyNot(Capability.ClientPrograms) is not null, "the server's own pg_dump is not on this machine");
        world.Environment["BACKUP_DATABASE_URL"] = world.BackupUrl();
        world.Environment["JOBS_PG_BIN"] = world.Server.BinDirectory;
        var folder = Directory.CreateTempSubdirectory("backups");
        world.Environment["BACKUP_URL"] = $"file://{folder.FullName}";
        var plan = await world.PlanAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO users (email, name) SELECT 'u' || n || '@example.test', 'Éléonore ' || n FROM generate_series(1, 50) AS n;
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at) SELECT id, @plan, 'active', now() + interval '1 month' FROM users;
            INSERT INTO payments (user_id, subscription_id, purpose, amount_minor, status, period_start, succeeded_at)
            SELECT user_id, id, 'subscription', 1000, 'succeeded', '2026-11-01', now() FROM subscriptions;
            UPDATE subscriptions AS s SET payment_id = p.id FROM payments AS p WHERE p.subscription_id = s.id;
            INSERT INTO receipts (number, payment_id, amount_minor, currency) SELECT '2026-' || lpad(id::text, 6, '0'), id, 1000, 'eur' FROM payments;
            INSERT INTO receipt_counters (series, year, last_number) SELECT 'R', 2026, count(*) FROM receipts;
            """,
            new { plan });
        return folder;
    }

    public static string BackupUrl(this JobWorld world, string? database = null) =>
        world.Server.UrlFor(database ?? world.Database, PostgresFixture.BackupLogin, PostgresFixture.JobsPassword);

    /// <summary>As a process: pg_dump, age and gpg take their environment from it.</summary>
    public static Task<JobResult> BackUpAsync(this JobWorld world, params string[] args) => world.RunPublishedAsync("backup-database", args);

    public static async Task<JobResult> BackedUpAsync(this JobWorld world, params string[] args)
    {
        var run = await world.BackUpAsync(args);
        Assert.True(run.ExitCode == 0 && run.Json.GetProperty("status").GetString() == "succeeded", run.ToString());
        return run;
    }

    public static IReadOnlyList<string> Names(this DirectoryInfo folder, string pattern = "*") =>
        [.. folder.EnumerateFiles(pattern, SearchOption.AllDirectories).Select(f => f.Name).Order(StringComparer.Ordinal)];

    public static IReadOnlyList<JsonObject> Manifests(this DirectoryInfo folder) =>
        [.. folder.EnumerateFiles("*.json").OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => JsonNode.Parse(File.ReadAllText(f.FullName))!.AsObject())];

    public static string Path(this DirectoryInfo folder, string name) => System.IO.Path.Combine(folder.FullName, name);

    public static string Sum(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>What is in the folder is whole backups and nothing else, each as its manifest says and as the table says.</summary>
    public static async Task AllIsWellAsync(this JobWorld world, DirectoryInfo folder, int backups, int? verified = null)
    {
        var manifests = folder.Manifests();
        Assert.Equal(
            manifests.SelectMany(m => new[] { (string)m["file"]!, $"{(string)m["file"]!}.sha256", $"{(string)m["name"]!}.json" }).Order(StringComparer.Ordinal), folder.Names());
        Assert.Equal(backups, manifests.Count);
        foreach (var manifest in manifests)
        {
            var content = await File.ReadAllBytesAsync(folder.Path((string)manifest["file"]!));
            Assert.Equal(((string)manifest["sha256"]!, (long)manifest["size_bytes"]!), (Sum(content), content.LongLength));
            // As sha256sum -c reads it.
            Assert.Equal($"{Sum(content)}  {manifest["file"]}\n", await File.ReadAllTextAsync(folder.Path($"{manifest["file"]}.sha256")));
        }

        Assert.Equal(verified ?? backups, manifests.Count(m => m["verified_at"] is not null));
        Assert.Equal(manifests.Select(m => (string)m["name"]!), await world.ListedAsync("deleted_at IS NULL AND finished_at IS NOT NULL"));
        Assert.Equal(manifests.Where(m => m["verified_at"] is not null).Select(m => (string)m["name"]!), await world.ListedAsync("deleted_at IS NULL AND verified_at IS NOT NULL"));
        Assert.Empty(await world.ListedAsync("deleted_at IS NULL AND finished_at IS NULL"));
        await world.NoScratchAsync();
    }

    public static async Task<IReadOnlyList<string>> ListedAsync(this JobWorld world, string condition) =>
        [.. (await world.QueryAsync($"SELECT name FROM backups WHERE {condition} ORDER BY name")).Select(r => (string)r.name)];

    /// <summary>None of the scratch databases that this world's runs made is left. Other tests have theirs on the same server.</summary>
    public static async Task NoScratchAsync(this JobWorld world) =>
        Assert.Equal(0, await world.ScalarAsync<long>(Scratch));

    private const string Scratch =
        """
        SELECT count(*) FROM pg_database AS d JOIN backups AS b ON d.datname ~ ('^jobs_backup_(verify|restore)_' || replace(b.run_id::text, '-', '') || '$')
        """;

    public static Task<long> ScratchAsync(this JobWorld world) => world.ScalarAsync<long>(Scratch);

    /// <summary>A folder with pg_dump and pg_restore of which each runs the lines given before it does what it is for.</summary>
    public static DirectoryInfo Programs(this JobWorld world, string beforeDump = "", string beforeRestore = "")
    {
        var folder = Directory.CreateTempSubdirectory("programs");
        foreach (var (program, lines) in new[] { ("pg_dump", beforeDump), ("pg_restore", beforeRestore) })
        {
            var path = folder.Path(program);
            File.WriteAllText(path, $"#!/bin/sh\n[ \"$1\" = --version ] || {{ :\n{lines}\n}}\nexec {world.Server.BinDirectory}/{program} \"$@\"\n");
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        world.Environment["JOBS_PG_BIN"] = folder.FullName;
        return folder;
    }

    /// <summary>What programs of PostgreSQL's are at takes its time.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>The processes below one, with what they are called.</summary>
    public static IReadOnlyList<int> Below(int process)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(f => char.IsAsciiDigit(System.IO.Path.GetFileName(f)[0])))
        {
            if (Stat(folder) is [_, var parent, ..] && int.Parse(parent, CultureInfo.InvariantCulture) == process)
                found.Add(int.Parse(System.IO.Path.GetFileName(folder), CultureInfo.InvariantCulture));
        }

        return [.. found.SelectMany(child => Below(child).Prepend(child))];
    }

    public static bool Lives(int process) => Stat($"/proc/{process}") is [not "Z", ..];

    private static string[] Stat(string folder)
    {
        try
        {
            var text = File.ReadAllText(System.IO.Path.Combine(folder, "stat"));
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The world's own connections were ended with the database that they were in: each is found out once.</summary>
    public static Task ConnectAnewAsync(this JobWorld world) => Eventually.HoldsAsync(
        async () =>
        {
            try
            {
                return await world.ScalarAsync<int>("SELECT 1") == 1;
            }
            catch (Npgsql.NpgsqlException)
            {
                return false;
            }
        },
        Patience,
        "a connection");

    public static string NameOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/comm").Trim();
        }
        catch (IOException)
        {
            return "";
        }
    }

    public static JsonElement Item(this JobResult run, int index = 0) => run.Json.GetProperty("items")[index];
}
