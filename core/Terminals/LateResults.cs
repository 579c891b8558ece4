using Jobs.Database;
using Jobs.Runs;
using Jobs.SumUp;
using Microsoft.Extensions.Logging;

namespace Jobs.Terminals;

/// <summary>
/// What turned out paid after its attempt was closed without money: approved late, or denied by the provider's look-up when it was
/// there. Closed attempts are asked about for 48 hours, and the account's sales are gone through hourly, and after a fallback.
/// </summary>
public sealed class LateResults(SumUpClient sumUp, TerminalPayments payments, Db db, JobRun run, JobCursor cursor)
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(2);
    private static readonly TimeSpan FirstReach = TimeSpan.FromDays(2);

    private const string Watched =
        $"""
        {TerminalAttempt.Select}
        WHERE a.watch_until > clock_timestamp() AND a.next_check_at <= clock_timestamp() AND a.id > @after
        ORDER BY a.id
        LIMIT 100
        """;

    private const string Postpone = "UPDATE terminal_attempts SET next_check_at = clock_timestamp() + interval '1 hour' WHERE id = @Id";

    /// <summary>Asks again about what was closed without money.</summary>
    public async Task AskAgainAsync(Action<TerminalAttempt, TerminalOutcome> found)
    {
        long after = 0;
        while (!run.Stopping.IsCancellationRequested
            && await db.TransactionAsync(tx => tx.QueryAsync<TerminalAttempt>(Watched, new { after }), run.Aborting) is [.., var last] batch)
        {
            after = last.Id;
            foreach (var attempt in batch)
            {
                var transaction = await sumUp.FindTransactionAsync(TransactionKey.Foreign(attempt.ClientReference), run.Aborting);
                if (transaction is { IsPaid: true })
                {
                    found(attempt, await payments.ApproveAsync(attempt, transaction));
                }
                else
                {
                    await db.TransactionAsync(tx => tx.ExecuteAsync(Postpone, new { attempt.Id }), run.Aborting);
                }
            }
        }
    }

    private const string OfSale =
        """
        SELECT id, provider_transaction_id = @TransactionId AS settled
        FROM terminal_attempts
        WHERE provider_transaction_id = @TransactionId OR client_transaction_id = @ClientTransactionId
        ORDER BY settled DESC NULLS LAST
        LIMIT 1
        """;

    private sealed class Known
    {
        public long Id { get; init; }
        public bool? Settled { get; init; }
    }

    private const string OfReference = $"{TerminalAttempt.Select} WHERE a.client_reference = @reference";

    /// <summary>Every payment of the account since the last time: one of ours that is not booked is booked now.</summary>
    /// <param name="fallbackEnded">When the last fallback ended: after it, although the hour is not over.</param>
    /// <param name="found">Hears of each.</param>
    public async Task GoThroughSalesAsync(DateTime? fallbackEnded, Action<TerminalAttempt, TerminalOutcome> found)
    {
        var last = await cursor.ReadAsync();
        if (last is { } until && run.Now - until < Every && !(fallbackEnded > until))
        {
            return;
        }

        var options = new TransactionHistoryOptions
        {
            ChangesSince = new DateTimeOffset(last is { } from ? from - Overlap : run.Now - FirstReach),
            Types = ["PAYMENT"],
            Statuses = ["SUCCESSFUL", "REFUNDED"],
        };
        await foreach (var sale in sumUp.ListTransactionsAsync(options, run.Aborting))
        {
            if (run.Stopping.IsCancellationRequested)
            {
                return;
            }

            var id = sale.TransactionId ?? sale.Id;
            var known = await db.TransactionAsync(
                tx => tx.SingleOrDefaultAsync<Known>(OfSale, new { TransactionId = id, sale.ClientTransactionId }), run.Aborting);
            if (known is { Settled: true })
            {
                continue;
            }

            // The list does not tell references; the transaction itself does.
            if (await sumUp.FindTransactionAsync(TransactionKey.Id(id), run.Aborting) is not { IsPaid: true } transaction)
            {
                continue;
            }

            var attempt = transaction.ForeignTransactionId is { } reference
                ? await db.TransactionAsync(tx => tx.SingleOrDefaultAsync<TerminalAttempt>(OfReference, new { reference }), run.Aborting)
                : null;
            if (attempt is null)
            {
                run.Counters.Add("sales_not_ours");
                continue;
            }

            // One that is still open is being followed.
            if (attempt.SettledAt is not null)
            {
                found(attempt, await payments.ApproveAsync(attempt, transaction));
            }
        }

        await cursor.MoveAsync();
        run.Log.LogDebug("Went through the sales since {Since:u}", options.ChangesSince);
    }
}
