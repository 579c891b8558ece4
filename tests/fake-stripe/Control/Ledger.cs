namespace Jobs.Testing.FakeStripe;

/// <summary>
/// The money that really moved. Tests assert on this, not on the calls that were made.
/// </summary>
internal static class Ledger
{
    public static byte[] Write(World world, string? group) => Render.Bytes(writer =>
    {
        var taken = Taken(world).ToList();
        var json = new JsonOut(writer, world);
        json.Begin();
        Sums(json, "total", taken.GroupBy(charge => charge.Currency, StringComparer.Ordinal), nested: false);
        json.Number("count", taken.Count);
        json.BeginArray("charges");
        foreach (var charge in taken)
        {
            json.Begin();
            json.Text("payment_intent", charge.PaymentIntent);
            json.Text("charge", charge.Id);
            json.Number("amount", charge.AmountCaptured);
            json.Text("currency", charge.Currency);
            json.Text("customer", charge.Customer);
            json.Number("created", charge.Created);
            json.Text("payment_method", charge.PaymentMethod);
            Latest(world, charge).Write(json);
            json.End();
        }

        json.EndArray();
        Sums(json, "by_metadata", Grouped(world, taken, Renewal), nested: true);
        Sums(json, "by_payment_id", Grouped(world, taken, metadata => metadata["payment_id"]), nested: true);
        if (group is not null)
            Sums(json, "by_group", Grouped(world, taken, metadata => metadata[group]), nested: true);
        WriteRefunds(json, world);
        json.End();
    });

    private static string? Renewal(Metadata metadata) =>
        metadata["subscription_id"] is { } subscription ? $"{subscription}:{metadata["period_start"]}" : null;

    private static IEnumerable<Charge> Taken(World world)
    {
        for (var i = 0; i < world.Charges.Count; i++)
        {
            if (world.Charges[i] is { Status: "succeeded", Captured: true } charge)
                yield return charge;
        }
    }

    private static IEnumerable<IGrouping<string, Charge>> Grouped(World world, List<Charge> charges, Func<Metadata, string?> key) =>
        charges.Where(charge => key(Latest(world, charge)) is not null).GroupBy(charge => key(Latest(world, charge))!, StringComparer.Ordinal);

    /// <summary>A charge keeps the metadata it was made with; the PaymentIntent's may have been corrected since.</summary>
    private static Metadata Latest(World world, Charge charge) => world.Find<PaymentIntent>(charge.PaymentIntent)?.Metadata ?? charge.Metadata;

    private static void Sums(JsonOut json, string name, IEnumerable<IGrouping<string, Charge>> groups, bool nested)
    {
        json.Begin(name);
        foreach (var group in groups.OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var amount = group.Sum(charge => charge.AmountCaptured);
            if (!nested)
            {
                json.Number(group.Key, amount);
                continue;
            }

            json.Begin(group.Key);
            json.Number("count", group.Count());
            json.Number("amount", amount);
            json.End();
        }

        json.End();
    }

    private static void WriteRefunds(JsonOut json, World world)
    {
        var refunds = Enumerable.Range(0, world.Refunds.Count).Select(i => world.Refunds[i]).Where(refund => refund.Status == "succeeded").ToList();
        json.Begin("refunded");
        foreach (var group in refunds.GroupBy(refund => refund.Currency, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal))
            json.Number(group.Key, group.Sum(refund => refund.Amount));
        json.End();
        json.BeginArray("refunds");
        foreach (var refund in refunds)
        {
            json.Begin();
            json.Text("refund", refund.Id);
            json.Text("payment_intent", refund.PaymentIntent);
            json.Number("amount", refund.Amount);
            json.Text("currency", refund.Currency);
            json.Number("created", refund.Created);
            json.End();
        }

        json.EndArray();
    }
}
