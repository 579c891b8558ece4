using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Jobs.SumUp;

/// <summary>
/// One SumUp merchant account and its card readers. Safe for concurrent use. Reads are tried up to three times; writes are
/// sent once and never again, and what a failed one may have done is told by <see cref="SumUpException.MayHaveHappened"/>.
/// </summary>
/// <remarks>
/// Cancelling a read, or a write of which nothing can have left, throws <see cref="OperationCanceledException"/>; cancelling a
/// write that may have left throws <see cref="SumUpException"/>.
/// </remarks>
public sealed class SumUpClient : IDisposable
{
    private static readonly byte[] NoMembers = "{}"u8.ToArray();

    private readonly SumUpClientOptions options;
    private readonly SumUpTransport transport;
    private readonly string merchant;

    /// <param name="options">Checked here; a wrong one throws <see cref="ArgumentException"/>.</param>
    /// <param name="logger">Method, path, status and duration at Debug, repeated reads at Information; never bodies or keys.</param>
    /// <param name="handler">Replaces the real network in tests. Owned, and disposed, by the client.</param>
    public SumUpClient(SumUpClientOptions options, ILogger<SumUpClient> logger, HttpMessageHandler? handler = null, TimeProvider? time = null)
    {
        options.Validate();
        this.options = options;
        merchant = Uri.EscapeDataString(options.MerchantCode);
        transport = new SumUpTransport(options, logger, handler, time ?? TimeProvider.System);
    }

    private string Readers => $"/v0.1/merchants/{merchant}/readers";

    public Task<IReadOnlyList<Reader>> ListReadersAsync(CancellationToken cancellationToken = default) =>
        transport.GetAsync(Readers, Answers.Readers, cancellationToken);

    /// <summary>Null: no such pairing (any more).</summary>
    public Task<Reader?> FindReaderAsync(string readerId, CancellationToken cancellationToken = default) =>
        transport.FindAsync<Reader>(OfReader(readerId), Answers.Reader, cancellationToken);

    /// <param name="pairingCode">As the device shows it; blanks and dashes do not matter.</param>
    /// <returns>Still <c>processing</c>: the device has to confirm.</returns>
    public Task<Reader> CreateReaderAsync(string pairingCode, string name, CancellationToken cancellationToken = default)
    {
        var code = string.Concat(pairingCode.Where(char.IsAsciiLetterOrDigit)).ToUpperInvariant();
        var body = Json(writer =>
        {
            writer.WriteString("pairing_code", code);
            writer.WriteString("name", name);
        });
        return transport.WriteAsync(HttpMethod.Post, Readers, body, null, Answers.Reader, cancellationToken);
    }

    /// <summary>Ends the pairing at SumUp; the device has to be disconnected in its own menu too.</summary>
    public Task DeleteReaderAsync(string readerId, CancellationToken cancellationToken = default) =>
        transport.WriteAsync(HttpMethod.Delete, OfReader(readerId), [], null, Nothing, cancellationToken);

    /// <summary>Null: unpaired, or its firmware is too old to tell.</summary>
    public Task<ReaderStatus?> FindReaderStatusAsync(string readerId, CancellationToken cancellationToken = default) =>
        transport.FindAsync<ReaderStatus>(OfReader(readerId) + "/status", Answers.Status, cancellationToken);

    /// <summary>
    /// Puts a payment on the reader. Sent once: every send that SumUp accepts is a payment of its own, whatever ids it carries.
    /// Accepted, it is started on the device within a minute, or never.
    /// </summary>
    /// <exception cref="SumUpException">Without <see cref="SumUpException.MayHaveHappened"/> no payment came of it.</exception>
    /// <exception cref="InvalidOperationException">A dry run, or without affiliate key and app id: nothing was sent.</exception>
    public Task<ReaderCheckout> CreateReaderCheckoutAsync(string readerId, ReaderCheckoutOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(options.ForeignTransactionId);
        var value = SumUpMoney.ToCheckout(options.AmountMinor, options.Currency);
        var (affiliate, app) = (this.options.AffiliateKey, this.options.AppId);
        if (affiliate is null || app is null)
            throw new InvalidOperationException("Without an affiliate key and an app id a card payment could not be found again: it is not asked for.");
        var body = Json(writer =>
        {
            writer.WriteStartObject("total_amount");
            writer.WriteNumber("value", value);
            writer.WriteString("currency", options.Currency.ToUpperInvariant());
            writer.WriteNumber("minor_unit", SumUpMoney.MinorUnit(options.Currency));
            writer.WriteEndObject();
            if (options.Description is { Length: > 0 } description)
                writer.WriteString("description", description);
            writer.WriteStartObject("affiliate");
            writer.WriteString("app_id", app);
            writer.WriteString("key", affiliate);
            writer.WriteString("foreign_transaction_id", options.ForeignTransactionId);
            writer.WriteEndObject();
        });
        return transport.WriteAsync(HttpMethod.Post, OfReader(readerId) + "/checkout", body, options.MayStillBeSent, Answers.Checkout, cancellationToken);
    }

    /// <summary>Null: SumUp does not know it, which does not prove that it was not paid.</summary>
    public Task<ReaderCheckoutState?> FindReaderCheckoutAsync(string readerId, string checkoutId, CancellationToken cancellationToken = default) =>
        transport.FindAsync<ReaderCheckoutState>($"{OfReader(readerId)}/checkout/{Id(checkoutId)}", Answers.CheckoutState, cancellationToken);

    /// <summary>
    /// Asks the reader to stop whatever payment it is waiting for a card with: it names no checkout. Sent once. That it was
    /// accepted proves nothing: the card may have been faster.
    /// </summary>
    public Task TerminateReaderCheckoutAsync(string readerId, CancellationToken cancellationToken = default) =>
        transport.WriteAsync(HttpMethod.Post, OfReader(readerId) + "/terminate", NoMembers, null, Nothing, cancellationToken);

    /// <summary>
    /// Null: SumUp knows no transaction by that id now. It never proves that none was paid: there is none before the card is
    /// read, and a real one may be missing for a while.
    /// </summary>
    /// <remarks>An answer about another transaction counts as unreadable. An id that the answer leaves out is not compared.</remarks>
    public Task<Transaction?> FindTransactionAsync(TransactionKey key, CancellationToken cancellationToken = default)
    {
        if (key.Name is null)
            throw new ArgumentException("A transaction is asked for by an id; default(TransactionKey) is none.", nameof(key));
        return transport.FindAsync($"/v2.1/merchants/{merchant}/transactions?{key.Name}={Uri.EscapeDataString(key.Value)}", body => Answers.Transaction(body, key), cancellationToken);
    }

    /// <summary>All pages of the account's history, read as they are asked for.</summary>
    public async IAsyncEnumerable<TransactionHistoryItem> ListTransactionsAsync(
        TransactionHistoryOptions options, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var query = options.ToQuery(); query is not null;)
        {
            if (!seen.Add(query))
                throw new SumUpException("SumUp's history of transactions leads in a circle.") { Kind = SumUpErrorKind.NoAnswer };
            var (items, next) = await transport.GetAsync($"/v2.1/merchants/{merchant}/transactions/history?{query}", Answers.History, cancellationToken);
            foreach (var item in items)
                yield return item;
            query = next;
        }
    }

    /// <summary>
    /// Gives money back. Sent once: SumUp carries out every one that it gets. Before another try compare
    /// <see cref="Transaction.RefundedMinor"/>.
    /// </summary>
    /// <param name="transactionId"><see cref="Transaction.Id"/>.</param>
    /// <param name="amountMinor">Null: all of it.</param>
    public Task RefundAsync(string transactionId, long? amountMinor, string currency, CancellationToken cancellationToken = default)
    {
        var body = amountMinor is { } amount
            ? Json(writer => writer.WriteNumber("amount", SumUpMoney.ToDecimal(amount, currency)))
            : NoMembers;
        return transport.WriteAsync(HttpMethod.Post, $"/v1.0/merchants/{merchant}/payments/{Id(transactionId)}/refunds", body, null, Nothing, cancellationToken);
    }

    public void Dispose() => transport.Dispose();

    private string OfReader(string readerId) => $"{Readers}/{Id(readerId)}";

    /// <summary>An empty id would turn a read of one into a list of all, and dots would climb: both are refused.</summary>
    private static string Id(string id) =>
        string.IsNullOrWhiteSpace(id) || id.Trim('.').Length == 0 ? throw new ArgumentException($"'{id}' is not an id of SumUp's.", nameof(id)) : Uri.EscapeDataString(id);

    private static bool Nothing(ReadOnlySpan<byte> body) => true;

    private static byte[] Json(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
