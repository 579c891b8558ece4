using System.Buffers;
using System.Text.Json;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Counter;

/// <summary>The counter as one JSON object on one line.</summary>
internal static class CounterJson
{
    /// <param name="changes">What is different from the line before, in words.</param>
    /// <param name="lostSince">When the database was last heard of; the rest is as of then.</param>
    public static ReadOnlyMemory<byte> Line(
        CounterView view, DateTime now, IReadOnlyList<string>? changes = null, DateTime? lostSince = null, string? error = null)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            json.WriteStartObject();
            JsonText.Write(json, "generated_at", now);
            if (lostSince is not null)
            {
                JsonText.Write(json, "no_connection_since", lostSince);
                JsonText.Write(json, "error", error);
            }

            if (changes is not null)
            {
                json.WriteStartArray("changes");
                foreach (var change in changes)
                {
                    json.WriteStringValue(change);
                }

                json.WriteEndArray();
            }

            Write(json, view, now);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, CounterView view, DateTime now)
    {
        json.WritePropertyName("fallback");
        if (view.Fallback is { } fallback)
        {
            Object(
                json, ("automatic", fallback.Automatic), ("reason", fallback.Reason), ("actor", fallback.Actor), ("since", fallback.Since),
                ("until", fallback.Until));
        }
        else
        {
            json.WriteNullValue();
        }

        List(json, "terminals", view.Terminals, t => Object(
            json, ("id", t.Id), ("name", t.Name), ("status", t.Status), ("since", t.Since), ("last_seen_at", t.LastSeenAt),
            ("last_error", t.LastError), ("retry_at", t.RetryAt), ("payment_id", t.PaymentId), ("payment_status", t.PaymentStatus),
            ("payer", t.Payer), ("amount_minor", t.AmountMinor), ("currency", t.Currency)));
        json.WriteNumber("queue_length", view.QueueLength);
        List(json, "queue", view.Queue, q => Object(
            json, ("place", q.Place), ("id", q.Id), ("payment_id", q.PaymentId), ("payer", q.Payer), ("amount_minor", q.AmountMinor),
            ("currency", q.Currency), ("purpose", q.Purpose), ("status", q.Status), ("since", q.CreatedAt),
            ("waiting_seconds", Math.Max(0, (long)(now - q.CreatedAt).TotalSeconds)), ("terminal", q.Terminal), ("attempts", q.Attempts),
            ("reason", q.Reason)));
        json.WriteNumber("payment_count", view.PaymentCount);
        List(json, "payments", view.Payments, p => Object(
            json, ("id", p.Id), ("at", p.At), ("payer", p.Payer), ("amount_minor", p.AmountMinor),
            ("amount_refunded_minor", p.AmountRefundedMinor), ("currency", p.Currency), ("method", p.Method), ("purpose", p.Purpose),
            ("status", p.Status), ("failure_code", p.FailureCode), ("receipt_number", p.ReceiptNumber)));
        List(json, "totals", view.Totals, t => Object(
            json, ("currency", t.Currency), ("method", t.Method), ("count", t.Count), ("amount_minor", t.AmountMinor)));
        List(json, "locks", view.Locks, l => Object(
            json, ("user_id", l.UserId), ("payer", l.Payer), ("holder", l.Holder), ("expires_at", l.ExpiresAt),
            ("seconds_left", Words.SecondsLeft(l, now))));
    }

    private static void List<T>(Utf8JsonWriter json, string name, IEnumerable<T> rows, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var row in rows)
        {
            write(row);
        }

        json.WriteEndArray();
    }

    private static void Object(Utf8JsonWriter json, params ReadOnlySpan<(string Name, object? Value)> members)
    {
        json.WriteStartObject();
        foreach (var (name, value) in members)
        {
            JsonText.Write(json, name, value);
        }

        json.WriteEndObject();
    }
}
