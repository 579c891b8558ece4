using System.Globalization;
using System.Text.Json;
using Jobs.Billing;
using Jobs.Mail;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>What a row of the audit log says, in a sentence. What is not known here is said as it stands.</summary>
internal static class Saying
{
    // Told by the sentence itself, or by what stands beside it.
    private static readonly string[] Silent =
        ["amount_minor", "currency", "recorded_by", "metadata", "customer", "created", "provider", "description", "receipt", "retry_count"];

    public static string Of(string action, string? data, DateTime now, BusinessZone zone)
    {
        using var document = JsonDocument.Parse(data ?? "{}");
        var about = new About(document.RootElement, now, zone);
        var verb = action[(action.IndexOf('.', StringComparison.Ordinal) + 1)..];
        return action switch
        {
            "payment.attempted" => $"attempt {about["attempt"]} for the period from {about["period_start"]}: {about.Money} to be charged",
            "payment.queued" => $"{about.Money} in the queue for the card terminals, at position {about["position"]}",
            "payment.sent_to_terminal" => $"sent to reader {about["terminal_id"]}, under reference {about["client_reference"]}",
            "payment.succeeded" => $"{about.Money} received{about.If("recorded_by", id => $", recorded by user {id}")}{about.If("receipt", number => $", receipt {number}")}{about.If("provider_payment_id", id => $" ({id})")}",
            "payment.failed" => $"{(about["decline"] is null ? "failed" : "declined")}: {about["failure_code"] ?? about["reason"] ?? "no reason given"}"
                + (about["decline"] switch { "Soft" => ", may be tried again", "Hard" => ", never again on this payment method", "AuthenticationRequired" => ", the customer must confirm", _ => "" }),
            "payment.parked" => $"{about.Money} arrived and fits nothing ({Plain(about["reason"])}): kept for somebody to decide",
            "payment.tied" => $"pays membership {about["membership_id"]}",
            "payment.refunded" or "payment.disputed" => $"{Plain(verb)}, {about.Rest}",
            "subscription.extended" => $"extended from {about["period_start"]} to {about["period_end"]}{about.If("payment_id", id => $" by payment {id}")}",
            "subscription.created" => $"created{about.If("period_end", end => $", until {end}")}{about.If("payment_id", id => $", by payment {id}")}{about.If("provider_subscription_id", id => $", after {id} at Stripe")}",
            "subscription.past_due" => $"past due{about.If("decline_code", code => $": declined, {code}")}{about.If("reason", reason => $": {reason}")}, "
                + (about["next_attempt_at"] is { } next ? next == "infinity" ? "the retries are spent" : $"tried again from {next}" : "no further try with this payment method"),
            "subscription.expired" => $"expired: the period ended {about["ended_at"]}",
            "order.expired" => $"expired: {Plural(about["stock_released"], "piece")} back in stock, {Plural(about["payment_intents_canceled"], "PaymentIntent")} canceled",
            "order.paid" or "order.refund_due" => $"{Plain(verb)}, by payment {about["payment_id"]}",
            "order.pending_payment" => "waits for its payment again",
            "membership.granted" => $"{about["type"]} from {about["start_date"]} to {about["end_date"]}{(about["reduced_price"] == "true" ? ", at the reduced price" : "")}",
            "product.sold" or "product.released" => $"{Plural(about["quantity"], "piece")} {(verb == "sold" ? "sold" : "back in stock")}, order {about["order_id"]}",
            _ => about.Rest.Length == 0 ? Plain(verb) : $"{Plain(verb)}: {about.Rest}",
        };
    }

    private static string Plain(string? word) => OneLine.Of(word ?? "?", 80).Replace('_', ' ');

    private static string Plural(string? number, string what) => $"{number ?? "0"} {what}{(number == "1" ? "" : "s")}";

    private readonly struct About(JsonElement data, DateTime now, BusinessZone zone)
    {
        /// <summary>A member as a person reads it; null when it is missing.</summary>
        public string? this[string name] =>
            data.ValueKind == JsonValueKind.Object && data.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? Value(name, member) : null;

        public string Money => data.ValueKind == JsonValueKind.Object && data.TryGetProperty("amount_minor", out var amount) && amount.TryGetInt64(out var minor) && this["currency"] is { } currency
            ? Words.Money(minor, currency)
            : "an amount";

        public string If(string name, Func<string, string> say) => this[name] is { } value ? say(value) : "";

        /// <summary>Every member that says something of itself.</summary>
        public string Rest
        {
            get
            {
                var about = this;
                return data.ValueKind != JsonValueKind.Object ? OneLine.Of(data.ToString())
                    : string.Join(", ", data.EnumerateObject().Where(m => m.Value.ValueKind != JsonValueKind.Null && !Silent.Contains(m.Name))
                        .Select(m => $"{Plain(m.Name)} {about.Value(m.Name, m.Value)}"));
            }
        }

        private string Value(string name, JsonElement member)
        {
            var text = OneLine.Of(member.ToString(), 100);
            return member.ValueKind switch
            {
                JsonValueKind.True or JsonValueKind.False => text.ToLowerInvariant(),
                JsonValueKind.String when (name.EndsWith("_at", StringComparison.Ordinal) || name is "period_start" or "period_end") && text.Contains('T', StringComparison.Ordinal)
                    && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant) => Words.When(instant.UtcDateTime, now, zone),
                _ => text,
            };
        }
    }
}
