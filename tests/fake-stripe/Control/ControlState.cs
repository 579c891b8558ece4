using System.Globalization;
using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>Shows and changes the clock, the configuration, the faults and the records of what was asked.</summary>
internal static class ControlState
{
    public static byte[] Clock(World world) => Object(writer =>
    {
        writer.WriteString("now", world.Now.ToString("O", CultureInfo.InvariantCulture));
        writer.WriteNumber("unix", world.NowSeconds);
        writer.WriteBoolean("frozen", world.Clock.Frozen);
    });

    public static byte[] SetClock(World world, JsonElement body)
    {
        if (body.Bool("real") == true)
            world.Clock.Real();
        if (body.Text("now") is { } now)
            world.Clock.Set(DateTimeOffset.Parse(now, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal), body.Bool("ticking") ?? false);
        if (body.Text("advance") is { } by)
            world.Clock.Advance(ControlJson.Duration(by));
        world.Settle();
        return Clock(world);
    }

    public static byte[] Config(FakeConfig config) => Object(writer =>
    {
        writer.WriteNumber("rate", config.Rate);
        writer.WriteNumber("latency_ms", config.LatencyMs);
        writer.WriteBoolean("lock_per_customer", config.LockPerCustomer);
        writer.WriteNumber("lock_wait_ms", config.LockWaitMs);
        writer.WriteNumber("search_lag_seconds", config.SearchLagSeconds);
        writer.WriteBoolean("search_flaps", config.SearchFlaps);
        writer.WriteString("event_api_version", config.EventApiVersion);
        writer.WriteBoolean("live", config.Live);
    });

    public static byte[] SetConfig(FakeAccount account, JsonElement body)
    {
        var config = account.World.Config;
        config.Rate = body.Get("rate")?.GetDouble() ?? config.Rate;
        config.LatencyMs = (int?)body.Long("latency_ms") ?? config.LatencyMs;
        config.LockPerCustomer = body.Bool("lock_per_customer") ?? config.LockPerCustomer;
        config.LockWaitMs = (int?)body.Long("lock_wait_ms") ?? config.LockWaitMs;
        config.SearchLagSeconds = body.Get("search_lag_seconds")?.GetDouble() ?? config.SearchLagSeconds;
        config.SearchFlaps = body.Bool("search_flaps") ?? config.SearchFlaps;
        config.EventApiVersion = body.Text("event_api_version") ?? config.EventApiVersion;
        account.Limiter.Refill();
        return Config(config);
    }

    public static byte[] Requests(RequestLog log, int limit) => Object(writer =>
    {
        var (total, counts, recent) = log.Read();
        writer.WriteNumber("total", total);
        writer.WriteStartObject("counts");
        foreach (var (key, count) in counts)
            writer.WriteNumber(key, count);
        writer.WriteEndObject();
        writer.WriteStartArray("requests");
        foreach (var request in recent.TakeLast(limit))
        {
            writer.WriteStartObject();
            writer.WriteNumber("n", request.Number);
            writer.WriteString("method", request.Method);
            writer.WriteString("path", request.Path);
            writer.WriteString("template", request.Template);
            writer.WriteString("idempotency_key", request.IdempotencyKey);
            writer.WriteNumber("status", request.Status);
            writer.WriteString("fault", request.Fault);
            writer.WriteString("at", request.AtText);
            writer.WriteString("request_id", request.RequestId);
            writer.WriteString("params", request.Parameters);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    public static byte[] Faults(FaultTable faults) => Object(writer =>
    {
        writer.WriteStartArray("faults");
        foreach (var rule in faults.Read())
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", rule.Id);
            writer.WriteNumber("seen", rule.Seen);
            writer.WriteNumber("hits", rule.Hits);
            writer.WritePropertyName("rule");
            rule.Source.WriteTo(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    /// <summary>Takes one rule, a list of rules, or <c>{"faults": [...]}</c>.</summary>
    public static byte[] AddFaults(FaultTable faults, JsonElement body)
    {
        var rules = body.ValueKind == JsonValueKind.Array ? body : body.Get("faults");
        foreach (var rule in rules?.EnumerateArray().ToArray() ?? [body])
            faults.Add(rule);
        return Faults(faults);
    }

    public static byte[] Holds(Holds holds) => Object(writer =>
    {
        writer.WriteStartArray("holds");
        foreach (var held in holds.Read())
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", held.Id);
            writer.WriteString("phase", held.Phase);
            writer.WriteString("method", held.Request.Method);
            writer.WriteString("path", held.Request.Path);
            writer.WriteString("template", held.Request.Template);
            writer.WriteString("idempotency_key", held.Request.IdempotencyKey);
            writer.WriteString("params", held.Request.Parameters.ToString());
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    public static byte[] Released(int count) => Object(writer => writer.WriteNumber("released", count));

    /// <summary>Every PaymentIntent, oldest first: two dumps are equal when nothing changed.</summary>
    public static byte[] Dump(World world) => Object(writer =>
    {
        var json = new JsonOut(writer, world);
        json.BeginArray("payment_intents");
        for (var i = 0; i < world.PaymentIntents.Count; i++)
            world.PaymentIntents[i].Write(json);
        json.EndArray();
    });

    private static byte[] Object(Action<Utf8JsonWriter> write) => Render.Bytes(writer =>
    {
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    });
}
