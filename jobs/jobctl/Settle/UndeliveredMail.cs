using Jobs.Acting;
using Jobs.Runs;

namespace Jobs.Settle;

/// <summary>A mail that was not delivered, or of which nobody knows: it arrived (sent), it is to go out again (resend), or it is let be (dropped).</summary>
internal static class UndeliveredMail
{
    private sealed class Row
    {
        public string Kind { get; init; } = "";
        public string ToAddress { get; init; } = "";
        public string Status { get; init; } = "";
        public DateTime? ResolvedAt { get; init; }
        public string? Resolution { get; init; }
    }

    private const string Find = "SELECT kind, to_address, status, resolved_at, resolution FROM notifications WHERE id = @id";

    // Sent again it is a new delivery: no frozen run that wakes has a claim on it any more.
    private const string Settle =
        """
        WITH settled AS (
            UPDATE notifications AS n
            SET status = CASE @As WHEN 'sent' THEN 'sent' WHEN 'resend' THEN 'pending' ELSE n.status END,
                sent_at = CASE WHEN @As = 'sent' THEN coalesce(n.handed_over_at, clock_timestamp()) ELSE n.sent_at END,
                claimed_by = NULL, next_attempt_at = NULL,
                handed_over_at = CASE WHEN @As = 'resend' THEN NULL ELSE n.handed_over_at END,
                attempts = CASE WHEN @As = 'resend' THEN 0 ELSE n.attempts END,
                reported_at = CASE WHEN @As = 'resend' THEN NULL ELSE coalesce(n.reported_at, clock_timestamp()) END,
                resolved_at = CASE WHEN @As = 'resend' THEN NULL ELSE clock_timestamp() END,
                resolution = @As
            FROM (SELECT id, status FROM notifications WHERE id = @id) AS before
            WHERE n.id = before.id AND n.status IN ('failed', 'unknown') AND n.resolved_at IS NULL
            RETURNING n.id, before.status
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
        SELECT @Actor, 'notification.' || @As, 'notification', id, jsonb_build_object('reason', @Reason, 'was', status)
        FROM settled
        """;

    public static async Task<Answer> SettleAsync(ToolRun run, ToolServices services, Decision decision, long id)
    {
        var (row, settled) = await services.Db.TransactionAsync(
            async tx =>
            {
                var found = await tx.SingleOrDefaultAsync<Row>(Find, new { id }) ?? throw new OperatorException($"there is no mail {id}");
                var open = found is { Status: "failed" or "unknown", ResolvedAt: null };
                return open && (decision.DryRun || await tx.ExecuteAsync(Settle, new { id, decision.As, decision.Actor, decision.Reason }) == 1)
                    ? (found, true)
                    : (await tx.SingleAsync<Row>(Find, new { id }), false);
            },
            run.Stopping);
        if (!settled)
        {
            return row.Resolution == decision.As
                ? new("unchanged", $"mail {id} was settled before as {row.Resolution}; it is {row.Status}")
                : throw new OperatorException(
                    $"mail {id} is {row.Status}{(row.Resolution is { } other ? $", settled as {other}" : "")}: only one that failed or is unknown can be settled; nothing was changed");
        }

        return new("settled", $"mail {id} ({row.Kind} to {row.ToAddress}), which was {row.Status},{(decision.DryRun ? " would be" : "")} settled as {decision.As} by {decision.Actor}")
        {
            Notes = decision.As switch
            {
                "resend" when row.Status == "unknown" => ["It may have arrived before: then it arrives twice.", "send-notifications takes it at its next run."],
                "resend" => ["send-notifications takes it at its next run."],
                _ => [],
            },
        };
    }
}
