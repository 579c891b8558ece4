namespace Jobs.Terminals;

/// <summary>A row of `terminal_attempts` with what it is about: one time that one reader was asked for one payment.</summary>
public sealed class TerminalAttempt
{
    public long Id { get; init; }
    public long QueueId { get; init; }
    public long PaymentId { get; init; }
    public long UserId { get; init; }

    /// <summary>Null: nobody knows which, the row was not written by process-payment-queue.</summary>
    public long? TerminalId { get; init; }
    public string Terminal { get; init; } = "";
    public string? ProviderReaderId { get; init; }

    /// <summary>At SumUp: the foreign transaction id.</summary>
    public string ClientReference { get; init; } = "";
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";

    /// <summary>Of the payment.</summary>
    public string Status { get; init; } = "";
    public string QueueStatus { get; init; } = "";
    /// <summary>How often its payment was given to a reader.</summary>
    public int Attempts { get; init; }
    public DateTime? SentAt { get; set; }

    /// <summary>Since <see cref="SentAt"/>, by the database's clock, when the row was read; null: not sent.</summary>
    public TimeSpan? Age { get; init; }
    public string? ClientTransactionId { get; set; }
    public string? CheckoutId { get; set; }

    /// <summary>Since the reader was told to stop, when the row was read.</summary>
    public TimeSpan? TerminatedAge { get; init; }
    public DateTime? SettledAt { get; init; }

    /// <summary>Rows of terminal_attempts AS a, in the order of this type's needs; a WHERE follows.</summary>
    public const string Select =
        """
        SELECT a.id, a.queue_id, a.payment_id, p.user_id, a.terminal_id, coalesce(t.name, '') AS terminal, a.provider_reader_id,
               a.client_reference, a.amount_minor, a.currency, p.status, q.status AS queue_status, q.attempts, a.sent_at,
               clock_timestamp() - a.sent_at AS age, a.client_transaction_id, a.checkout_id,
               clock_timestamp() - a.terminated_at AS terminated_age, a.settled_at
        FROM terminal_attempts AS a
        JOIN payment_queue AS q ON q.id = a.queue_id
        JOIN payments AS p ON p.id = a.payment_id
        LEFT JOIN payment_terminals AS t ON t.id = a.terminal_id
        """;
}
