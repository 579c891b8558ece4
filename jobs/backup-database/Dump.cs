using System.Globalization;
using System.Security.Cryptography;
using Jobs.Runs;
using Jobs.Storage;
using Npgsql;

namespace Jobs;

/// <summary>
/// pg_dump, from a snapshot of ours, through the cipher into the store: never the whole dump in memory, and under its name only when
/// all of it is there.
/// </summary>
internal sealed class Dump(JobRun run, FileStore store, PostgresPrograms programs, Cipher? cipher)
{
    private long _bytes;

    public sealed record Written(long Bytes, string Sha256);

    /// <param name="connection">Its transaction holds the snapshot.</param>
    /// <param name="restore">Restored from what is dumped, before it is encrypted; null: later.</param>
    /// <param name="lastLook">Whether the file may get its name.</param>
    /// <returns>Null when it may not.</returns>
    public async Task<Written?> WriteAsync(
        string name, Server server, NpgsqlConnection connection, string snapshot, Restore? restore, Func<Task<bool>> lastLook, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var bytes = await store.PutAsync(
            name,
            async stream =>
            {
                await using var dump = programs.Start(
                    "pg_dump",
                    [
                        "--format", "custom", "--snapshot", snapshot, "--no-password", "--lock-wait-timeout", "60000",
                        // Its messages also end it when this process is gone: nobody reads them any more.
                        "--verbose",
                    ],
                    server.Environment(connection, null),
                    null);
                await using var end = dump.EndWith(cancellation);
                dump.CloseInput();
                await PumpAsync(dump, restore, async chunk =>
                {
                    hash.AppendData(chunk.Span);
                    await stream.WriteAsync(chunk, cancellation);
                    run.ShowProgress(_bytes += chunk.Length);
                }, cancellation);
                await dump.SucceedAsync(cancellation);
                return await lastLook();
            },
            cancellation);
        return bytes is { } length ? new Written(length, Convert.ToHexStringLower(hash.GetHashAndReset())) : null;
    }

    private async Task PumpAsync(Child dump, Restore? restore, Func<ReadOnlyMemory<byte>, Task> keep, CancellationToken cancellation)
    {
        if (cipher is null)
        {
            await Child.CopyAsync(dump.Stdout, keep, cancellation);
            return;
        }

        await using var encrypting = cipher.Encrypt();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using var endOne = dump.EndWith(either.Token);
        await using var endOther = encrypting.EndWith(either.Token);
        await Both.Async(
            restore is null
                ? encrypting.FeedAsync(dump.Stdout, null, either.Token)
                : FeedBothAsync(dump, encrypting, restore, either.Token),
            Child.CopyAsync(encrypting.Stdout, keep, either.Token),
            either);
        // What failed first is told first: without a dump there is nothing to encrypt.
        await dump.SucceedAsync(cancellation);
        await encrypting.SucceedAsync(cancellation);
    }

    private static async Task FeedBothAsync(Child dump, Child encrypting, Restore restore, CancellationToken cancellation)
    {
        await encrypting.FeedAsync(dump.Stdout, chunk => restore.Program.OfferAsync(chunk, cancellation), cancellation);
        restore.Program.CloseInput();
    }

    public static string FileName(string backup, Cipher? cipher) =>
        string.Create(CultureInfo.InvariantCulture, $"{backup}.dump{(cipher is null ? "" : $".{cipher.Name}")}");
}
