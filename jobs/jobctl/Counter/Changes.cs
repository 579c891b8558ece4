namespace Jobs.Counter;

/// <summary>What became different between two looks at the counter, each in a few words. Time passing is no change.</summary>
internal static class Changes
{
    public static List<string> Between(CounterView before, CounterView after)
    {
        var said = new List<string>();
        Compare(said, before.Terminals, after.Terminals, t => t.Id, t => $"terminal {Words.Clean(t.Name)}", Describe, "removed");
        Compare(said, before.Queue, after.Queue, q => q.Id, q => $"queue {q.Id} ({Words.Clean(q.Payer)})", Describe, "left");
        Compare(said, before.Payments, after.Payments, p => p.Id, p => $"payment {p.Id} ({Words.Clean(p.Payer)})", Describe, null);
        Compare(said, before.Locks, after.Locks, l => l.Name, l => $"lock of {Words.Clean(l.Payer ?? l.UserId)}", l => $"held by {Words.Holder(l.Holder)}", "released");
        if (before.Fallback != after.Fallback)
        {
            said.Add(after.Fallback is { } fallback ? $"fallback mode: {Words.Clean(fallback.Reason)}" : "fallback mode ended");
        }

        return said;
    }

    /// <summary>The counter in one line.</summary>
    public static string Summary(CounterView view) =>
        $"{Count(view.Terminals.Count, "terminal")}, {view.QueueLength} in the queue, {Count(view.PaymentCount, "payment")} today"
        + (view.Fallback is { } fallback ? $", fallback mode: {Words.Clean(fallback.Reason)}" : "");

    private static string Count(int number, string what) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{number} {what}{(number == 1 ? "" : "s")}");

    private static string Describe(Terminal t) =>
        t.Status
        + (t.PaymentId is null ? "" : $", {Words.OnTerminal(t)}")
        + (t.LastError.Length > 0 ? $", {Words.Clean(t.LastError)}" : "");

    private static string Describe(QueuedPayment q) =>
        $"{q.Status}{(q.Terminal is null ? "" : $" on {Words.Clean(q.Terminal)}")}, {Words.Money(q.AmountMinor, q.Currency)}{(q.Reason.Length > 0 ? $", {Words.Clean(q.Reason)}" : "")}";

    private static string Describe(CounterPayment p) =>
        $"{p.Status}, {Words.Paid(p)}, {Words.Method(p.Method)}{(p.ReceiptNumber is null ? "" : $", receipt {p.ReceiptNumber}")}";

    private static void Compare<T, TKey>(
        List<string> said, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, TKey> key, Func<T, string> name, Func<T, string> describe, string? gone)
        where TKey : notnull
    {
        var earlier = before.ToDictionary(key);
        foreach (var now in after)
        {
            if (!earlier.Remove(key(now), out var then) || describe(then) != describe(now) || name(then) != name(now))
            {
                said.Add($"{name(now)}: {describe(now)}");
            }
        }

        if (gone is not null)
        {
            said.AddRange(earlier.Values.Select(then => $"{name(then)}: {gone}"));
        }
    }
}
