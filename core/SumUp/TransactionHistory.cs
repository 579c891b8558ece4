using System.Globalization;
using System.Text;

namespace Jobs.SumUp;

/// <summary>Which part of the account's history; everything that is left out does not restrict.</summary>
public sealed record TransactionHistoryOptions
{
    /// <summary>Modified at or after.</summary>
    public DateTimeOffset? ChangesSince { get; init; }

    /// <summary>At or after.</summary>
    public DateTimeOffset? OldestTime { get; init; }

    /// <summary>Before.</summary>
    public DateTimeOffset? NewestTime { get; init; }

    /// <summary>ascending or descending.</summary>
    public string Order { get; init; } = "ascending";

    /// <summary>SUCCESSFUL, CANCELLED, FAILED, REFUNDED, CHARGE_BACK: final ones, PENDING cannot be asked for.</summary>
    public IReadOnlyList<string> Statuses { get; init; } = [];

    /// <summary>PAYMENT, REFUND, CHARGE_BACK.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Items a page; all pages are read.</summary>
    public int Limit { get; init; } = 100;

    internal string ToQuery()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Limit, 1);
        var query = new StringBuilder("order=").Append(Uri.EscapeDataString(Order));
        query.Append(CultureInfo.InvariantCulture, $"&limit={Limit}");
        foreach (var status in Statuses)
            query.Append("&statuses%5B%5D=").Append(Uri.EscapeDataString(status));
        foreach (var type in Types)
            query.Append("&types%5B%5D=").Append(Uri.EscapeDataString(type));
        Time("changes_since", ChangesSince);
        Time("oldest_time", OldestTime);
        Time("newest_time", NewestTime);
        return query.ToString();

        void Time(string name, DateTimeOffset? time)
        {
            if (time is { } moment)
                query.Append('&').Append(name).Append('=').Append(Uri.EscapeDataString(moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)));
        }
    }
}

/// <summary>A line of the history. It does not carry our own id: only <see cref="ClientTransactionId"/> or a lookup ties it to an attempt.</summary>
public sealed class TransactionHistoryItem
{
    /// <summary>Of a payment's line mostly the transaction's id; <see cref="TransactionId"/> is surely so.</summary>
    public required string Id { get; init; }

    public string? TransactionId { get; init; }

    public string? ClientTransactionId { get; init; }

    public string? TransactionCode { get; init; }

    /// <summary>Minor units, tip included.</summary>
    public required long AmountMinor { get; init; }

    /// <summary>Lower case.</summary>
    public required string Currency { get; init; }

    /// <summary>Null when the answer does not tell.</summary>
    public long? RefundedMinor { get; init; }

    public DateTimeOffset? Timestamp { get; init; }

    public required string Status { get; init; }

    /// <summary>PAYMENT, REFUND, CHARGE_BACK; an open list.</summary>
    public string? Type { get; init; }

    public string? PaymentType { get; init; }

    /// <summary>The checkout's description.</summary>
    public string? ProductSummary { get; init; }
}
