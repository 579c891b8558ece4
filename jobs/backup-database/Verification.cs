using System.Security.Cryptography;
using Jobs.Runs;
using Jobs.Storage;

namespace Jobs;

/// <summary>
/// Proves a backup: reads it back from where it is kept, compares its checksum, restores it into a scratch database, and counts there
/// what was counted in the snapshot that was dumped.
/// </summary>
internal sealed class Verification(JobRun run, FileStore store, PostgresPrograms programs, Server server)
{
    private const int Readings = 3;

    /// <returns>The backup with its proof.</returns>
    /// <exception cref="DamagedException">It is no good.</exception>
    public async Task<Backup> ProveAsync(Backup backup, Cipher? cipher, CancellationToken cancellation)
    {
        var took = await RestoreAndCompareAsync(backup, cipher, cancellation);
        return Proven(backup, took, cipher is null
            ? "read back from where it is kept: its checksum, restored into a scratch database, every table and promise counted"
            : $"read back from where it is kept: its checksum, decrypted with {cipher.Name}, restored into a scratch database, every table and promise counted");
    }

    /// <summary>A reading that breaks off begins anew.</summary>
    private async Task<TimeSpan> RestoreAndCompareAsync(Backup backup, Cipher? cipher, CancellationToken cancellation)
    {
        for (var reading = 1; ; reading++)
        {
            await using var scratch = await ScratchAsync((backup.Encoding, backup.Collation, backup.CharacterType), cancellation);
            try
            {
                var took = await RestoreAsync(backup, cipher, scratch, toProve: true, cancellation);
                await CompareAsync(backup.Facts, scratch, cancellation);
                return took;
            }
            catch (IOException e) when (reading < Readings)
            {
                run.Log.LogReadAgain(store.UrlOf(backup.File), e.Message);
            }
        }
    }

    public static Backup Proven(Backup backup, TimeSpan took, string proof) =>
        backup with { VerifiedAt = DateTime.UtcNow, RestoreSeconds = took.TotalSeconds, Proof = proof, Error = null };

    public async Task<Scratch> ScratchAsync((string Encoding, string Collation, string CharacterType) locale, CancellationToken cancellation) =>
        await Scratch.CreateAsync(server, await server.OpenAsync(null, cancellation), "verify", run.Id, locale, cancellation);

    /// <summary>Restores what is kept.</summary>
    public async Task<TimeSpan> RestoreAsync(Backup backup, Cipher? cipher, Scratch scratch, bool toProve, CancellationToken cancellation)
    {
        await using var restore = Restore.Into(scratch, programs, toProve);
        await using var end = restore.Program.EndWith(cancellation);
        await ReadAsync(backup, cipher, restore, cancellation);
        return await restore.EndAsync(cancellation);
    }

    /// <summary>Compares what is kept with its checksum, and nothing else.</summary>
    public async Task ReadAsync(Backup backup, CancellationToken cancellation)
    {
        for (var reading = 1; ; reading++)
        {
            try
            {
                await ReadAsync(backup, null, null, cancellation);
                return;
            }
            catch (IOException e) when (reading < Readings)
            {
                run.Log.LogReadAgain(store.UrlOf(backup.File), e.Message);
            }
        }
    }

    private async Task ReadAsync(Backup backup, Cipher? cipher, Restore? restore, CancellationToken cancellation)
    {
        await using var content = await store.OpenAsync(backup.File, cancellation)
            ?? throw new DamagedException($"{store.UrlOf(backup.File)} is not there any more");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var length = 0L;
        Task Sum(ReadOnlyMemory<byte> chunk)
        {
            hash.AppendData(chunk.Span);
            run.ShowProgress(length += chunk.Length, backup.SizeBytes);
            return Task.CompletedTask;
        }

        await using var decrypting = restore is null ? null : cipher?.Decrypt();
        if (decrypting is not null)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            await using var endOne = decrypting.EndWith(either.Token);
            await using var endOther = restore!.Program.EndWith(either.Token);
            await Both.Async(
                decrypting.FeedAsync(content, Sum, either.Token), restore.Program.FeedAsync(decrypting.Stdout, null, either.Token), either);
        }
        else
        {
            await (restore is null ? Child.CopyAsync(content, Sum, cancellation) : restore.Program.FeedAsync(content, Sum, cancellation));
        }

        var sum = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (sum != backup.Sha256)
        {
            throw new DamagedException(
                $"{store.UrlOf(backup.File)} does not hold what was written: {length} bytes with the SHA-256 {sum} instead of {backup.SizeBytes} with {backup.Sha256}");
        }

        if (decrypting is not null)
        {
            await decrypting.SucceedAsync(cancellation);
        }
    }

    /// <summary>Counts in the restored database what was counted in the dumped one.</summary>
    public async Task CompareAsync(Facts dumped, Scratch scratch, CancellationToken cancellation)
    {
        await using var connection = await scratch.OpenAsync(cancellation);
        if (dumped.DifferenceFrom(await Facts.ReadAsync(connection, run, cancellation)) is { } difference)
        {
            throw new DamagedException($"what was restored differs from what was dumped: {difference}");
        }
    }
}

/// <summary>A backup that is no good, whatever it looks like.</summary>
internal sealed class DamagedException(string message, Exception? inner = null) : OperatorException(message, inner);
