using System.Diagnostics;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Telemetry;

/// <summary>
/// What a run did when, for traces: the run, its transactions, its items, its calls of Stripe. Null, and next to nothing to do, unless
/// somebody listens. Ids of rows are told, names, addresses, amounts and keys never; of paths at Stripe the template.
/// </summary>
internal static class Spans
{
    public const string Name = "Jobs";

    private static readonly ActivitySource Source = new(Name, JobProgram.Version);

    public static Activity? Run(JobDefinition job, Guid run, Shard shard)
    {
        var span = Source.StartActivity(job.Name);
        span?.SetTag("job.name", job.Name).SetTag("job.run_id", run.ToString());
        if (!shard.IsAll)
        {
            span?.SetTag("job.shard", shard.ToString());
        }

        return span;
    }

    public static Activity? Item(string id) => Source.StartActivity("item")?.SetTag("job.item", id);

    /// <summary>Of those that belong to a run; not the one that asks whether there is to be one.</summary>
    public static Activity? Transaction() =>
        Activity.Current is null ? null : Source.StartActivity("transaction", ActivityKind.Client)?.SetTag("db.system.name", "postgresql");

    public static Activity? Call(StripeCall call)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var template = StripePath.Template(call.Path);
        return Source.StartActivity($"{call.Method.Method} {template}", ActivityKind.Client)
            ?.SetTag("peer.service", "stripe").SetTag("http.request.method", call.Method.Method).SetTag("url.template", template);
    }

    public static void Answered(this Activity span, StripeCall call, int? status, string? requestId)
    {
        span.SetTag("http.response.status_code", status).SetTag("stripe.request_id", requestId).SetTag("stripe.sends", call.Sends);
        if (status is not (>= 200 and < 300))
        {
            span.SetStatus(ActivityStatusCode.Error);
        }
    }

    /// <summary>The exception's type, not its message: it may quote what it should not.</summary>
    public static void Failed(this Activity span, Exception e) => span.SetTag("error.type", e.GetType().Name).SetStatus(ActivityStatusCode.Error);
}
