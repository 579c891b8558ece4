using System.Diagnostics;
using System.Text;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>One run of backup-database: what it makes, what it proves, what it refuses.</summary>
public sealed class BackupTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_backup_is_a_dump_with_a_manifest_and_was_restored_before_it_counts()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;

        var run = await world.BackedUpAsync("--items");

        Assert.Equal((1, 1), (run.Counter("backups"), run.Counter("verified")));
        Assert.True(run.Counter("restore_ms") > 0);
        await world.AllIsWellAsync(folder, 1);
        var manifest = folder.Manifests()[0];
        Assert.Matches($@"^{world.Database}-\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}$", (string)manifest["name"]!);
        Assert.Equal(50, (long)manifest["rows"]!["public.receipts"]!);
        Assert.Equal(0, (long)manifest["rows"]!["public.backups"]!);
        Assert.All(manifest["promises_broken"]!.AsObject(), promise => Assert.Equal(0, (long)promise.Value!));
        Assert.Equal(6, manifest["promises_broken"]!.AsObject().Count);
        Assert.Equal("none", (string)manifest["encryption"]!);
        Assert.StartsWith("read back from where it is kept", (string)manifest["proof"]!, StringComparison.Ordinal);
        Assert.Equal(run.Counter("rows"), manifest["rows"]!.AsObject().Sum(table => (long)table.Value!));
        Assert.Equal("backed_up", run.Item().GetProperty("outcome").GetString());
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(folder.Path((string)manifest["file"]!)));
        Assert.Equal(
            (string)manifest["sha256"]!,
            await world.ScalarAsync<string>("SELECT sha256 FROM backups WHERE restore_seconds > 0 AND size_bytes > 0 AND location LIKE 'file://%'"));
        Assert.Contains("is verified: restored in", run.Stderr, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_is_counted_is_what_is_dumped_however_much_is_written_meanwhile()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        using var writing = new CancellationTokenSource();
        world.Programs(beforeDump: "sleep 1", beforeRestore: "sleep 1");
        var writer = Task.Run(async () =>
        {
            for (; !writing.IsCancellationRequested; await Task.Delay(5))
                await world.ExecuteAsync("INSERT INTO users (email) VALUES ('another'); DELETE FROM sessions; INSERT INTO sessions DEFAULT VALUES");
        });

        var run = await world.BackedUpAsync();
        await writing.CancelAsync();
        await writer;

        var counted = (long)folder.Manifests()[0]["rows"]!["public.users"]!;
        Assert.InRange(counted, 50, await world.ScalarAsync<long>("SELECT count(*) FROM users") - 100);
        Assert.Equal(1, run.Counter("verified"));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_password_stands_in_no_command_line_and_in_no_log()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var seen = folder.Parent!.FullName + "/" + world.Database + ".seen";
        world.Programs($"echo dump \"$@\" >> {seen}; env | cut -d= -f1 | sort | tr '\\n' ' ' >> {seen}", $"echo restore \"$@\" >> {seen}");
        world.Environment["LOG_LEVEL"] = "trace";

        var run = await world.BackedUpAsync();

        var lines = await File.ReadAllTextAsync(seen, TestContext.Current.CancellationToken);
        Assert.Contains("--snapshot", lines, StringComparison.Ordinal);
        Assert.Contains("PGPASSWORD", lines, StringComparison.Ordinal);
        Assert.DoesNotContain("STRIPE_SECRET_KEY", lines, StringComparison.Ordinal);
        Assert.DoesNotContain("DATABASE_URL", lines, StringComparison.Ordinal);
        foreach (var text in new[] { lines, run.Stdout, run.Stderr, string.Concat(folder.Manifests().Select(m => m.ToJsonString())) })
        {
            Assert.DoesNotContain(PostgresFixture.JobsPassword, text, StringComparison.Ordinal);
            Assert.DoesNotContain(Uri.EscapeDataString(PostgresFixture.JobsPassword), text, StringComparison.Ordinal);
        }

        File.Delete(seen);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_dry_run_says_what_it_would_do_and_does_nothing()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync("--as-of", "2026-01-10T00:30:00Z");
        var before = folder.Names();

        var run = await world.BackedUpAsync("--dry-run", "--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0");

        Assert.Equal(["backed_up", "deleted"], run.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("outcome").GetString()));
        Assert.True(run.Item().GetProperty("rows").GetInt64() > 200);
        Assert.Equal(before, folder.Names());
        await world.AllIsWellAsync(folder, 1);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = 'backup-database'"));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Three_at_once_without_a_lease_make_three_good_backups()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.ExecuteAsync(
            """
            CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
            CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
            """);
        // None is done before all have looked at what there is: one that is, is kept by none that comes later on the same day.
        world.Programs(
            """
            here=$(dirname "$0"); : > "$here/$$.started"; n=0
            while [ "$(ls "$here" | grep -c started)" -lt 3 ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done
            """);

        foreach (var run in await Task.WhenAll(world.BackUpAsync(), world.BackUpAsync(), world.BackUpAsync()))
            Assert.True(run.ExitCode == 0, run.ToString());

        await world.AllIsWellAsync(folder, 3);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_second_run_is_skipped_while_the_first_is_at_it()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        world.Environment["JOBS_LEASE"] = "6s";
        world.Programs("sleep 6");
        using var first = world.StartPublished("backup-database", "--output", "json");
        await world.UntilAsync("SELECT EXISTS (SELECT FROM leases)");

        var second = await world.BackUpAsync();

        Assert.Equal((0, "skipped"), (second.ExitCode, second.Json.GetProperty("status").GetString()));
        Assert.Equal(0, (await first.EndAsync()).ExitCode);
        await world.AllIsWellAsync(folder, 1);
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("older", "pg_dump is of PostgreSQL 9 (")]
    [InlineData("none", "there is no pg_dump in /nowhere; install the client programs of PostgreSQL")]
    [InlineData("no folder", "does not exist; create it, or mount the disk that holds it")]
    [InlineData("no url", "BACKUP_URL is not set; set it to where backups go: file:///folder or s3://bucket/prefix")]
    [InlineData("no age", "age cannot be started")]
    [InlineData("two ciphers", "both BACKUP_AGE_RECIPIENT and BACKUP_GPG_RECIPIENT are set; keep one of them")]
    [InlineData("no right to create", "no database can be made to restore into (permission denied to create database): ALTER ROLE jobs_test_login CREATEDB, or set BACKUP_VERIFY_URL")]
    [InlineData("limit", "backup-database takes neither --only, --limit nor --shard: a backup is whole")]
    public async Task What_cannot_be_is_one_sentence(string mistake, string sentence)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var environment = world.Environment;
        switch (mistake)
        {
            case "older":
                var old = world.Programs();
                await File.WriteAllTextAsync(old.Path("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n", TestContext.Current.CancellationToken);
                break;
            case "none":
                environment["JOBS_PG_BIN"] = "/nowhere";
                break;
            case "no folder":
                folder.Delete();
                break;
            case "no url":
                environment["BACKUP_URL"] = null;
                break;
            case "no age":
                (environment["BACKUP_AGE_RECIPIENT"], environment["PATH"]) = ("age1qqqq", "/nowhere");
                break;
            case "two ciphers":
                (environment["BACKUP_AGE_RECIPIENT"], environment["BACKUP_GPG_RECIPIENT"]) = ("age1qqqq", "somebody");
                break;
            case "no right to create":
                environment["BACKUP_DATABASE_URL"] = null;
                break;
            case "limit":
                environment["JOBS_LIMIT"] = "3";
                break;
        }

        var run = await world.BackUpAsync();

        Assert.True(run.ExitCode == 1, run.ToString());
        Assert.Contains(sentence, run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Stderr, StringComparison.Ordinal);
        if (mistake == "no right to create")
            // Not proven, but there.
            await world.AllIsWellAsync(folder, 1, verified: 0);
        else
            Assert.True(!folder.Exists || folder.Names().Count == 0);
    }

    [Fact]
    public async Task A_full_disk_is_a_clear_error_and_leaves_nothing_behind()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        using var mount = Process.Start(new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", "size=64k", "backups", folder.FullName]) { UseShellExecute = false, RedirectStandardError = true })!;
        await mount.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(mount.ExitCode != 0, "no file system of its own can be mounted here: " + await mount.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        try
        {
            await world.ExecuteAsync("INSERT INTO sessions (data) SELECT jsonb_build_object('x', (SELECT string_agg(md5(n::text || m), '') FROM generate_series(1, 50) AS m)) FROM generate_series(1, 500) AS n");

            var run = await world.BackUpAsync();

            Assert.True(run.ExitCode == 1, run.ToString());
            Assert.Contains("No space left on device", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.Contains("look for free space and the rights on the folder of BACKUP_URL", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", run.Stderr, StringComparison.Ordinal);
            Assert.Empty(folder.Names());
            await world.NoScratchAsync();
        }
        finally
        {
            using var unmount = Process.Start("umount", [folder.FullName]);
            await unmount.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [InlineData("byte", "does not hold what was written: ")]
    [InlineData("cut", "does not hold what was written: ")]
    [InlineData("gone", "is not there any more")]
    [InlineData("byte and sum", "it cannot be restored: pg_restore failed with exit code 1")]
    [InlineData("rows", "what was restored differs from what was dumped: 50 instead of 49 rows in public.receipts")]
    public async Task Damage_is_found_told_and_remembered(string damage, string sentence)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync();
        var manifest = folder.Manifests()[0];
        var (dump, json) = (folder.Path((string)manifest["file"]!), folder.Path($"{manifest["name"]}.json"));
        var content = await File.ReadAllBytesAsync(dump, TestContext.Current.CancellationToken);
        // In the midst of a table's compressed rows.
        var at = Encoding.Latin1.GetString(content).LastIndexOf("\u0078\u009c", StringComparison.Ordinal) + 12;
        byte[] flipped = [.. content[..at], (byte)(content[at] ^ 0x55), .. content[(at + 1)..]];
        switch (damage)
        {
            case "byte":
                await File.WriteAllBytesAsync(dump, flipped, TestContext.Current.CancellationToken);
                break;
            case "cut":
                await File.WriteAllBytesAsync(dump, content[..^100], TestContext.Current.CancellationToken);
                break;
            case "gone":
                File.Delete(dump);
                break;
            case "byte and sum":
                await File.WriteAllBytesAsync(dump, flipped, TestContext.Current.CancellationToken);
                manifest["sha256"] = BackupScene.Sum(flipped);
                await File.WriteAllTextAsync(json, manifest.ToJsonString(), TestContext.Current.CancellationToken);
                break;
            case "rows":
                manifest["rows"]!["public.receipts"] = 49;
                await File.WriteAllTextAsync(json, manifest.ToJsonString(), TestContext.Current.CancellationToken);
                break;
        }

        var run = await world.BackUpAsync("--verify-only");

        Assert.True(run.ExitCode == 1, run.ToString());
        Assert.Contains("the backup is not verified: ", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Contains(sentence, run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Contains(sentence, (string)folder.Manifests()[0]["error"]!, StringComparison.Ordinal);
        Assert.Empty(await world.ListedAsync("verified_at IS NOT NULL"));
        Assert.Equal(1, (await world.BackedUpAsync("--list")).Counter("damaged"));
        Assert.Equal(1, (await world.BackUpAsync("--restore-to", $"{world.Database}_again")).ExitCode);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Verifying_alone_writes_no_run_and_takes_no_lease()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync("--as-of", "2026-11-19T00:30:00Z");
        await world.BackedUpAsync("--as-of", "2026-11-20T00:30:00Z");
        await world.ExecuteAsync("UPDATE backups SET verified_at = NULL; INSERT INTO leases VALUES ('backup-database', 'another', now() + interval '1 hour')");
        var first = (string)folder.Manifests()[0]["name"]!;

        var run = await world.BackedUpAsync("--verify-only", first);

        Assert.Equal((first, "verified"), (run.Item().GetProperty("id").GetString(), run.Item().GetProperty("outcome").GetString()));
        Assert.Equal([first], await world.ListedAsync("verified_at IS NOT NULL"));
        Assert.Equal(2, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = 'backup-database'"));
        var list = await world.BackedUpAsync("--list");
        Assert.Equal((2, first), (list.Counter("verified"), list.Item().GetProperty("id").GetString()));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_promise_that_the_database_breaks_is_told_and_its_true_copy_is_verified()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.ExecuteAsync("DELETE FROM receipts WHERE number = '2026-000007'");

        var run = await world.BackedUpAsync();

        Assert.Equal(1, run.Counter("verified"));
        Assert.Contains("receipts are numbered without a gap (1 times)", run.Stderr, StringComparison.Ordinal);
        Assert.Equal(1, (long)folder.Manifests()[0]["promises_broken"]!["receipts are numbered without a gap"]!);
        folder.Delete(recursive: true);
    }
}
