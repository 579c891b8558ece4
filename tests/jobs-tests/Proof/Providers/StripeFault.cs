using Jobs.Tests.Rig;

namespace Jobs.Tests.Proof.Providers;

/// <summary>What Stripe, or the network on the way to it, does instead of a plain answer.</summary>
internal sealed record StripeFault(string Kind, string Body = "json", bool? ShouldRetry = null)
{
    private static readonly StripeFault[] More =
    [
        new("status_after:500", "html"), new("status_after:500", "empty"), new("status_before:503", ShouldRetry: true),
        .. from kind in new[] { "status_after:500", "status_before:503", "rate_limit", "lock_timeout", "conflict_409" } select new StripeFault(kind, ShouldRetry: false),
    ];

    /// <summary>Each strikes one call; the run makes up for it, or a later one does.</summary>
    public static readonly StripeFault[] Passing =
    [
        new("drop_before"), new("drop_after"), new("delay_before:700"), new("delay_after:700"), new("truncated_json"), new("truncated_body"), new("slow_body:700"),
        .. from status in new[] { 500, 502, 503 }
           from body in new[] { "json", "html", "empty" }
           where Evidence.Full || (status, body) is (500, "json") or (502, "html") or (503, "empty")
           select new StripeFault($"status_before:{status}", body),
        new("status_after:500"), new("rate_limit"), new("lock_timeout"), new("conflict_409"), new("status_before:404", "html"),
        new("status_before:500", ShouldRetry: false), new("status_before:400", ShouldRetry: true),
        .. Evidence.Full ? More : [],
    ];

    /// <summary>The key is refused: nothing can go on, and nothing may be held against the items.</summary>
    public static readonly StripeFault[] Refusing =
        [new("status_before:401"), new("status_before:403"), new("status_before:401", "empty"), new("status_before:403", "empty")];

    /// <summary>As long as they last nothing goes; tried again until the patience for a call is over.</summary>
    public static readonly StripeFault[] Lasting =
    [
        new("drop_before"), new("drop_after"), new("status_before:503", "html"), new("status_before:500", "empty"), new("status_after:500"),
        new("rate_limit"), new("lock_timeout"), new("conflict_409"), new("truncated_json"), new("truncated_body"),
    ];

    /// <summary>The same where Stripe says that it is of no use to try again.</summary>
    public static readonly StripeFault[] LastingAtOnce =
    [
        .. from kind in new[] { "status_before:500", "status_before:502", "status_before:503", "status_after:500", "rate_limit", "lock_timeout", "conflict_409" }
           select new StripeFault(kind, ShouldRetry: false),
        new("status_before:404", "html", ShouldRetry: false),
    ];

    /// <summary>The answer, a true one, is saved as a failure and given again for ever.</summary>
    public bool Stays => Kind.StartsWith("status_after", StringComparison.Ordinal);

    public Task StrikeAsync(JobWorld world, object match) => world.Stripe.FaultAsync(Kind, match, ShouldRetry, Body);

    public override string ToString() => $"{Kind}{(Body == "json" ? "" : $" {Body}")}{(ShouldRetry is { } should ? $" should-retry:{should}" : "")}";
}
