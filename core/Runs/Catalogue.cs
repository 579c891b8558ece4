namespace Jobs.Runs;

public enum JobKind
{
    /// <summary>One run at a time (per shard), held by a lease; in the ledger.</summary>
    Scheduled,

    /// <summary>Started by a person or an application: no lease, never skipped; in the ledger.</summary>
    OnDemand,

    /// <summary>`migrate`: makes the tables that the others need, so it needs none; in the ledger afterwards.</summary>
    Schema,

    /// <summary>`jobctl`: commands of its own, for whoever runs the jobs. No lease, and no row in the ledger: looking leaves no trace.</summary>
    Tool,
}

/// <param name="Schedule">Five crontab fields in the business zone; null: not scheduled.</param>
/// <param name="Timeout">Default of --timeout.</param>
/// <param name="Needs">Variables without which it cannot run, DATABASE_URL aside.</param>
/// <param name="MovesMoney">Charges or issues receipts: in production its "now" is the real one.</param>
public sealed record JobDefinition(
    string Name, string Summary, string? Schedule, TimeSpan Timeout, JobKind Kind, string[] Needs, bool MovesMoney)
{
    /// <summary>What a container of it may use, MiB: measured to hold with 100,000 items due.</summary>
    public int MemoryMiB { get; init; } = 128;

    /// <summary>Secrets it uses when they are set, besides those it needs.</summary>
    public string[] OptionalSecrets { get; init; } = [];

    /// <summary>Without these secrets it cannot run.</summary>
    public IEnumerable<string> Secrets => Needs.Where(Settings.SecretNames.Contains).Prepend("DATABASE_URL");

    /// <summary>
    /// After this long whatever started it may kill it: its own time-out, a minute for its start and the 10 s of its end and, where it takes
    /// a lease, the longest wait for one.
    /// </summary>
    public TimeSpan Deadline => Timeout + TimeSpan.FromMinutes(1) + (Kind == JobKind.Scheduled ? LeaseLife.Default.LongestWait : TimeSpan.Zero);

    /// <summary>The longest time between two runs; null: not scheduled.</summary>
    public TimeSpan? ExpectedInterval => Schedule is null ? null : new CronSchedule(Schedule).LongestPause;

    /// <summary>
    /// Without a success for longer than this it is late: the longest regular pause, an hour more where the clocks may be put back in it,
    /// and a run as long as a run may be. Null: not scheduled.
    /// </summary>
    public TimeSpan? LateAfter => ExpectedInterval is { } pause
        ? pause + (pause >= TimeSpan.FromDays(1) ? TimeSpan.FromHours(1) : TimeSpan.Zero) + Deadline
        : null;
}

/// <summary>Every job, once. Schedules are in the business zone (JOBS_TIME_ZONE).</summary>
public static class Catalogue
{
    public static readonly IReadOnlyList<JobDefinition> Jobs =
    [
        new("migrate", "Applies the SQL scripts that the database lacks.",
            null, TimeSpan.FromMinutes(30), JobKind.Schema, [], MovesMoney: false),
        new("autopayment", "Charges due subscriptions off-session, records the payment, extends the period.",
            "0 6 * * *", TimeSpan.FromHours(4), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("expire-subscriptions", "Expires subscriptions that ended more than 3 days ago.",
            "45 6 * * *", TimeSpan.FromMinutes(30), JobKind.Scheduled, [], MovesMoney: false),
        new("expire-payments", "Expires payments pending for more than 7 days, after asking the provider.",
            "15 3 * * *", TimeSpan.FromHours(1), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("match-pending-payments", "Settles payments that are unresolved here with what Stripe says of them.",
            "*/2 * * * *", TimeSpan.FromMinutes(10), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("match-successful-payments", "Finds payments that succeeded at Stripe and are unknown here, and fulfils them.",
            "1-59/2 * * * *", TimeSpan.FromMinutes(10), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("expire-stale-orders", "Expires unpaid orders past their time: cancels their PaymentIntents, releases their stock.",
            "*/5 * * * *", TimeSpan.FromMinutes(30), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("cleanup-stale-payment-intents", "Cancels abandoned PaymentIntents at Stripe.",
            "0 3 * * 0", TimeSpan.FromHours(2), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("subscription-sync", "Brings Stripe Billing subscriptions, refunds and disputes into the database.",
            "0 2 * * *", TimeSpan.FromHours(4), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: true),
        new("record-payment", "Records a payment taken by hand: payment, receipt and notification in one transaction; queues one for a card terminal.",
            null, TimeSpan.FromMinutes(5), JobKind.OnDemand, [], MovesMoney: true),
        new("grant-membership", "Grants a basic membership, or upgrades a basic member to circus.",
            null, TimeSpan.FromMinutes(5), JobKind.OnDemand, [], MovesMoney: false),
        new("process-payment-queue", "Gives queued card-terminal payments to free readers and finds out what became of them.",
            "* * * * *", TimeSpan.FromMinutes(10), JobKind.Scheduled,
            ["SUMUP_API_KEY", "SUMUP_MERCHANT_CODE", "SUMUP_AFFILIATE_KEY", "SUMUP_APP_ID"], MovesMoney: true),
        new("fallback-mode", "Shows, activates or ends the degraded mode of the card terminals.",
            null, TimeSpan.FromMinutes(5), JobKind.OnDemand, [], MovesMoney: false),
        new("cleanup", "Deletes sessions idle for more than 2 weeks; archives audit logs older than 6 months.",
            "0 2 * * 0", TimeSpan.FromHours(2), JobKind.Scheduled, [], MovesMoney: false)
        {
            OptionalSecrets = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        },
        new("renewal-reminder", "Reminds by mail of memberships and subscriptions that end soon.",
            "0 8 * * *", TimeSpan.FromMinutes(30), JobKind.Scheduled, [], MovesMoney: false),
        new("daily-stats", "Writes yesterday's figures into daily_stats and tells staff of anomalies.",
            "0 1 * * *", TimeSpan.FromMinutes(30), JobKind.Scheduled, [], MovesMoney: false),
        new("send-notifications", "Delivers the mail outbox by SMTP, or as .eml files into a folder.",
            "* * * * *", TimeSpan.FromMinutes(10), JobKind.Scheduled, ["MAIL_FROM"], MovesMoney: false)
        {
            OptionalSecrets = ["SMTP_URL"],
        },
        new("backup-database", "Dumps the database, restores the dump to prove it, and keeps daily, weekly and monthly ones.",
            "30 1 * * *", TimeSpan.FromHours(4), JobKind.Scheduled, ["BACKUP_URL"], MovesMoney: false)
        {
            // With pg_dump and pg_restore beside it.
            MemoryMiB = 256,
            OptionalSecrets = ["BACKUP_DATABASE_URL", "BACKUP_VERIFY_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        },
        new("cleanup-logs", "Prunes the history of runs, delivered mails and rotated log files.",
            "0 4 * * 0", TimeSpan.FromHours(2), JobKind.Scheduled, [], MovesMoney: false),
        new("jobctl", "The operator's tool: shows what the jobs and the counter are doing, and settles what waits for people.",
            null, TimeSpan.FromMinutes(5), JobKind.Tool, [], MovesMoney: false)
        {
            OptionalSecrets = ["STRIPE_SECRET_KEY", "SUMUP_API_KEY", "SUMUP_AFFILIATE_KEY", "SMTP_URL"],
        },
    ];

    public static JobDefinition Find(string name) =>
        Jobs.FirstOrDefault(j => j.Name == name)
        ?? throw new InvalidOperationException($"'{name}' has no entry in the catalogue (core/Runs/Catalogue.cs)");
}
