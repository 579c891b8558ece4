using System.Diagnostics;
using System.Text;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>Dumps that age or gpg encrypt on their way.</summary>
public sealed class EncryptionTests(PostgresFixture fixture)
{
    private static async Task<string> RunAsync(string program, string[] args, string? home = null)
    {
        var start = new ProcessStartInfo(program, args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        if (home is not null)
            start.Environment["GNUPGHOME"] = home;
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var text = await process.StandardOutput.ReadToEndAsync() + await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, text);
            return text;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"{program} is not installed");
            throw;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_age_a_backup_is_proven_with_the_identity_and_without(bool identity)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var keys = Directory.CreateTempSubdirectory("keys");
        var file = keys.Path("identity");
        await RunAsync("age-keygen", ["-o", file]);
        world.Environment["BACKUP_AGE_RECIPIENT"] = (await RunAsync("age-keygen", ["-y", file])).Trim();
        world.Environment["BACKUP_AGE_IDENTITY_FILE"] = identity ? file : null;

        var run = await world.BackedUpAsync();

        Assert.Equal(1, run.Counter("verified"));
        await world.AllIsWellAsync(folder, 1);
        var manifest = folder.Manifests()[0];
        Assert.EndsWith(".dump.age", (string)manifest["file"]!, StringComparison.Ordinal);
        Assert.Equal("age", (string)manifest["encryption"]!);
        Assert.Contains(identity ? "decrypted with age" : "restored into a scratch database before it was encrypted", (string)manifest["proof"]!, StringComparison.Ordinal);
        Assert.StartsWith("age-encryption.org/v1", Encoding.Latin1.GetString(await File.ReadAllBytesAsync(folder.Path((string)manifest["file"]!), TestContext.Current.CancellationToken)), StringComparison.Ordinal);
        var verify = await world.BackUpAsync("--verify-only");
        Assert.Equal(identity ? 0 : 1, verify.ExitCode);
        if (!identity)
            Assert.Contains("has its checksum, but it cannot be restored here: set BACKUP_AGE_IDENTITY_FILE", verify.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        await world.AllIsWellAsync(folder, 1);

        world.Environment["BACKUP_AGE_IDENTITY_FILE"] = file;
        var restored = $"{world.Database}_again";
        Assert.Equal(1, (await world.BackedUpAsync("--restore-to", restored)).Counter("restored"));
        await world.Server.ExecuteAsync("postgres", $"DROP DATABASE {restored} WITH (FORCE)");
        keys.Delete(recursive: true);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task With_gpg_and_its_secret_key_a_backup_is_decrypted_to_be_proven()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var home = Directory.CreateTempSubdirectory("gpg");
        await RunAsync("gpg", ["--batch", "--passphrase", "", "--quick-generate-key", "backup@example.test", "default", "default", "never"], home.FullName);
        (world.Environment["GNUPGHOME"], world.Environment["BACKUP_GPG_RECIPIENT"]) = (home.FullName, "backup@example.test");

        Assert.Equal(1, (await world.BackedUpAsync()).Counter("verified"));

        Assert.Contains("decrypted with gpg", (string)folder.Manifests()[0]["proof"]!, StringComparison.Ordinal);
        await world.AllIsWellAsync(folder, 1);
        await RunAsync("gpgconf", ["--kill", "all"], home.FullName);
        home.Delete(recursive: true);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_the_tool_does_not_accept_is_told_and_leaves_nothing_behind()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await RunAsync("age", ["--version"]);
        world.Environment["BACKUP_AGE_RECIPIENT"] = "age1notakey";

        var run = await world.BackUpAsync();

        Assert.True(run.ExitCode == 1, run.ToString());
        Assert.Contains("age failed with exit code 1: ", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Empty(folder.Names());
        await world.NoScratchAsync();
        folder.Delete(recursive: true);
    }
}
