using System.Globalization;

namespace Jobs.Testing.FakeStripe;

internal sealed class Price : StripeObject
{
    public required string Product { get; init; }
    public required long UnitAmount { get; init; }
    public required string Currency { get; init; }
    public bool Active { get; init; } = true;
    public string? LookupKey { get; init; }

    /// <summary>Null for a one-time price.</summary>
    public string? Interval { get; init; }

    public int IntervalCount { get; init; } = 1;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "price");
        json.Flag("active", Active);
        json.Text("billing_scheme", "per_unit");
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Null("custom_unit_amount");
        json.Flag("livemode", json.World.Config.Live);
        json.Text("lookup_key", LookupKey);
        Metadata.Write(json);
        json.Null("nickname");
        json.Reference("product", Product);
        WriteRecurring(json);
        json.Text("tax_behavior", "unspecified");
        json.Nulls("tiers_mode", "transform_quantity");
        json.Text("type", Interval is null ? "one_time" : "recurring");
        json.Number("unit_amount", UnitAmount);
        json.Text("unit_amount_decimal", UnitAmount.ToString(CultureInfo.InvariantCulture));
        json.End();
    }

    /// <summary>The old name of a recurring price, still on every subscription item.</summary>
    public void WriteAsPlan(JsonOut json)
    {
        json.Begin("plan");
        json.Text("id", Id);
        json.Text("object", "plan");
        json.Flag("active", Active);
        json.Number("amount", UnitAmount);
        json.Text("amount_decimal", UnitAmount.ToString(CultureInfo.InvariantCulture));
        json.Text("billing_scheme", "per_unit");
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Text("interval", Interval ?? "month");
        json.Number("interval_count", IntervalCount);
        json.Flag("livemode", json.World.Config.Live);
        Metadata.Write(json);
        json.Nulls("meter", "nickname");
        json.Text("product", Product);
        json.Nulls("tiers_mode", "transform_usage", "trial_period_days");
        json.Text("usage_type", "licensed");
        json.End();
    }

    private void WriteRecurring(JsonOut json)
    {
        if (Interval is null)
        {
            json.Null("recurring");
            return;
        }

        json.Begin("recurring");
        json.Text("interval", Interval);
        json.Number("interval_count", IntervalCount);
        json.Nulls("meter", "trial_period_days");
        json.Text("usage_type", "licensed");
        json.End();
    }
}
