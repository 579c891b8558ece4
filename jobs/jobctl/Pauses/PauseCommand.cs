using System.Globalization;
using Jobs.Acting;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Runs;

namespace Jobs.Pauses;

/// <summary>Keeps a job from running, by a row of job_pauses that names who, why and until when. A run that has begun is not stopped.</summary>
internal static class PauseCommand
{
    public const string AllCharging = "all-charging";

    /// <summary>The jobs that take money from cards.</summary>
    public static readonly string[] Charging = ["autopayment", "process-payment-queue"];

    /// <summary>On demand nobody is kept from anything: only what is scheduled can be paused.</summary>
    public static IReadOnlyCollection<string> Names => [.. Catalogue.Jobs.Where(job => job.Kind == JobKind.Scheduled).Select(job => job.Name), AllCharging];

    private static readonly JobOption<Func<DateTime, DateTime>?> Until = new(
        "--until", "instant|duration", "It ends by itself then (2026-11-20T18:00:00Z) or after this long (2h). Default: until it is resumed.", ParseUntil, null);

    private static readonly JobOption<TimeSpan?> For = new("--for", "duration", "It ends by itself after this long, such as 2h.", OptionValue.Duration, null);

    public static readonly ToolCommand Command = new(
        "pause",
        "Keeps a job from running until it is resumed, or until then.",
        [Act.Reason, Until, For, Act.Actor, Act.DryRun],
        RunAsync,
        new ToolArgument("job", "Which; all-charging: those that take money from cards.", Names));

    // The same again changes nothing; another reason or end replaces the earlier one.
    private const string Pause =
        """
        WITH paused AS (
            INSERT INTO job_pauses AS p (job, reason, until, actor, created_at)
            VALUES (@job, @reason, @until, @actor, clock_timestamp())
            ON CONFLICT (job) DO UPDATE SET reason = excluded.reason, until = excluded.until, actor = excluded.actor, created_at = excluded.created_at
            WHERE (p.reason, p.until) IS DISTINCT FROM (excluded.reason, excluded.until)
            RETURNING job
        )
        INSERT INTO audit_logs (actor, action, subject_type, data)
        SELECT @actor, 'job.paused', 'job_pause', jsonb_build_object('job', job, 'reason', @reason, 'until', @until::timestamptz)
        FROM paused
        """;

    private const string WouldPause =
        """
        SELECT count(*)::int FROM (SELECT 1) AS one
        WHERE NOT EXISTS (SELECT FROM job_pauses WHERE job = @job AND reason = @reason AND until IS NOT DISTINCT FROM @until)
        """;

    private static async Task RunAsync(ToolRun run)
    {
        var name = run.Argument ?? throw new OperatorException($"say which job, or {AllCharging}: jobctl pause JOB --reason TEXT");
        var (reason, actor, dryRun) = (Act.ReasonOf(run), Act.ActorOf(run), run.Get(Act.DryRun));
        if (run.Get(Until) is not null && run.Get(For) is not null)
        {
            throw new OperatorException("--until and --for say the same twice; give one of them");
        }

        var zone = BusinessZone.From(run.Settings);
        var jobs = name == AllCharging ? Charging : [name];
        DateTime? until = null;
        var changed = await run.Database(dryRun).TransactionAsync(
            async tx =>
            {
                var now = await tx.SingleAsync<DateTime>("SELECT clock_timestamp()");
                // An end that was asked for as a duration is the same in a repetition that follows a lost answer.
                until ??= run.Get(Until)?.Invoke(now) ?? (run.Get(For) is { } length ? now + length : null);
                if (until <= now)
                {
                    throw new OperatorException("--until is over already; give a later time");
                }

                var count = 0;
                foreach (var job in jobs)
                {
                    var row = new { job, reason, until, actor };
                    count += dryRun ? await tx.SingleAsync<int>(WouldPause, row) : await tx.ExecuteAsync(Pause, row);
                }

                return count;
            },
            run.Stopping);
        var end = until is { } then ? $"until {Words.Moment(then, zone)}" : "until `jobctl resume`";
        await new Answer(
            changed > 0 ? "paused" : "unchanged",
            $"{string.Join(" and ", jobs)}: {(changed == 0 ? "was paused before" : dryRun ? "would be paused" : "paused")} {end}, by {actor}: {reason}")
        {
            Fields = [("jobs", string.Join(',', jobs)), ("actor", actor), ("reason", reason), ("until", until)],
            Notes = [.. jobs.Select(Consequence).OfType<string>(), "A run that has begun goes on to its end; a paused one is skipped with exit code 0."],
        }.PrintAsync(run, "pause");
    }

    private static string? Consequence(string job) => job switch
    {
        "autopayment" => "While autopayment is paused nobody is charged, and expire-subscriptions holds those that would have been renewed.",
        "process-payment-queue" => "While process-payment-queue is paused, cards at the counter wait and no result is looked up: `fallback-mode --activate` tells the counter.",
        "expire-subscriptions" => "Who ended keeps access meanwhile.",
        "expire-stale-orders" => "Orders that nobody pays keep their stock meanwhile.",
        "send-notifications" => "Mails wait in the outbox and go out afterwards; reminders may then come late.",
        "match-pending-payments" or "match-successful-payments" => "Who pays online meanwhile gets what they paid for only afterwards.",
        "subscription-sync" => "What changes at Stripe Billing, refunds and disputes show here only afterwards.",
        _ => null,
    };

    private static Func<DateTime, DateTime> ParseUntil(string text)
    {
        try
        {
            if (text.Contains('T', StringComparison.Ordinal))
            {
                var instant = OptionValue.Instant(text)!.Value;
                return _ => instant;
            }

            var duration = Duration.Parse(text);
            return now => now + duration;
        }
        catch (FormatException e)
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"an instant with its zone such as 2026-11-20T18:00:00Z, or a duration such as 2h"), e);
        }
    }
}
