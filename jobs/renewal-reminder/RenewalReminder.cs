using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Writes a mail about each membership and auto-renewing subscription that ends soon, once per term and offset. The offset is
/// the smallest one that the term's end is not yet nearer than: a missed day is caught up by the next run, and after a long outage
/// only the nearest reminder goes out. --only and --shard go by the user's id.
/// </summary>
/// <remarks>
/// Where a notice is required before a charge, a subscription's is written although its user wants no reminders, and still when
/// the period has ended: it says when the charge will be made.
/// </remarks>
public sealed class RenewalReminder(JobRun run, Db db, BusinessZone zone, JobOptions options, Settings settings) : IJob
{
    public static readonly JobOption<int[]> Days = new(
        "--days", "days", "Remind this many days before the end. Default: 30,15,5,0.", ParseDays, [30, 15, 5, 0], "JOBS_REMINDER_DAYS");

    private const int DefaultBatch = 5000;

    private readonly int[] _days = options.Get(Days);
    private readonly TimeSpan? _notice = options.Get(RenewalNotice.Required);

    private sealed class Parameters
    {
        public string SubjectType { get; init; } = "";
        public DateTime Until { get; init; }
        public DateOnly UntilDay { get; init; }
        public DateTime AfterEnd { get; init; }
        public DateOnly AfterDay { get; init; }
        public long AfterId { get; init; }
        public int Size { get; init; }
        public long? Only { get; init; }
        public int Count { get; init; }
        public int Index { get; init; }
        public int[] Days { get; init; } = [];
        public TimeSpan? Notice { get; init; }
        public DateOnly Today { get; init; }
        public DateTime Now { get; init; }
        public string Zone { get; init; } = "";
        public string? AccountUrl { get; init; }
        public long Most { get; init; }
    }

    private sealed class Batch
    {
        public int Seen { get; init; }
        public int Reminded { get; init; }
        public DateTime? LastEnd { get; init; }
        public long? LastId { get; init; }
    }

    private sealed class Row
    {
        public long Id { get; init; }
        public DateTime EndedAt { get; init; }
        public DateOnly? EndsOn { get; init; }
        public string? Reminder { get; init; }
    }

    public async Task RunAsync()
    {
        run.Counters.Add("reminded", 0);
        if (_notice > TimeSpan.FromDays(_days[0]))
        {
            throw new OperatorException(string.Create(
                CultureInfo.InvariantCulture,
                $"--notice-required asks for a notice {Duration.Format(_notice.Value)} before the charge, but the earliest reminder goes out {_days[0]} days before (--days); add an earlier one"));
        }

        var today = zone.Date(run.Now);
        // With a notice required, whatever ended without one.
        var since = _notice is null ? zone.StartOfDay(today) : DateTime.UnixEpoch;
        await RemindAsync("subscription", Terms.Subscriptions(_notice is not null), _notice is null ? Wanted : WantedOrRequired, since);
        await RemindAsync("membership", Terms.Memberships, Wanted, today.ToDateTime(TimeOnly.MinValue));
    }

    private async Task RemindAsync(string subjectType, string terms, string reminders, DateTime since)
    {
        var today = zone.Date(run.Now);
        var end = today.AddDays(_days[0] + 1);
        var (afterEnd, afterId) = (since, 0L);
        while (!run.Stopping.IsCancellationRequested && Rest is > 0 and var rest)
        {
            var size = run.Options.BatchSize ?? DefaultBatch;
            var batch = await BatchAsync(terms, reminders, new Parameters
            {
                SubjectType = subjectType,
                Until = zone.StartOfDay(end),
                UntilDay = end,
                AfterEnd = afterEnd,
                AfterDay = DateOnly.FromDateTime(afterEnd),
                AfterId = afterId,
                Size = size,
                Only = run.Options.Only,
                Count = run.Options.Shard.Count,
                Index = run.Options.Shard.Index,
                Days = _days,
                Notice = _notice,
                Today = today,
                Now = run.Now,
                Zone = zone.Id,
                AccountUrl = settings.Optional("ACCOUNT_URL"),
                Most = rest,
            });
            run.Counters.Add("reminded", batch.Reminded);
            run.ShowProgress(run.Counters["reminded"]);
            if (batch.Seen < size)
            {
                break;
            }

            (afterEnd, afterId) = (batch.LastEnd!.Value, batch.LastId!.Value);
        }
    }

    private long Rest => (run.Options.Limit ?? long.MaxValue) - run.Counters["reminded"];

    private const string NextOffset =
        "CROSS JOIN LATERAL (SELECT min(day) AS days FROM unnest(@Days) AS day WHERE day >= s.ends_on - @Today AND day < s.days) AS ahead";

    private const string Wanted =
        $"""
        SELECT s.*, ahead.days::text AS reminder, NULL::date AS charge_on
        FROM term AS s
        JOIN users AS u ON u.id = s.user_id
        {NextOffset}
        WHERE s.ends_on >= @Today AND ahead.days IS NOT NULL AND u.wants_reminders AND btrim(u.email) <> ''
        """;

    // Any mail about the period is its notice. One that failed, or that nobody knows the fate of, is none: the next takes its place.
    private const string WantedOrRequired =
        $"""
        SELECT s.*, CASE WHEN s.ends_on < @Today THEN 'late' ELSE ahead.days::text END AS reminder,
               greatest(s.ends_on, ((coalesce(notice.sent_at, @Now) + @Notice) AT TIME ZONE @Zone)::date) AS charge_on
        FROM term AS s
        JOIN users AS u ON u.id = s.user_id
        {NextOffset}
        CROSS JOIN LATERAL (
            SELECT min(n.sent_at) FILTER (WHERE n.status = 'sent') AS sent_at,
                   count(*) FILTER (WHERE n.status IN ('pending', 'sending', 'sent')) > 0 AS given
            FROM notifications AS n
            WHERE {RenewalNotice.OfThisPeriod}
        ) AS notice
        WHERE btrim(u.email) <> ''
          AND CASE WHEN s.ends_on < @Today THEN NOT notice.given
                   ELSE ahead.days IS NOT NULL AND (u.wants_reminders OR NOT notice.given) END
        """;

    private static string Due(string terms, string reminders) =>
        $"""
        WITH term AS MATERIALIZED (
            {terms}
        ),
        reminder AS (
            {reminders}
        ),
        due AS MATERIALIZED (
            SELECT r.*, 'renewal_reminder:' || @SubjectType || ':' || r.id || ':' || to_char(r.ends_on, 'YYYY-MM-DD') || ':' || r.reminder AS dedupe_key
            FROM reminder AS r
            WHERE NOT EXISTS (
                SELECT FROM notifications AS n
                WHERE n.dedupe_key = 'renewal_reminder:' || @SubjectType || ':' || r.id || ':' || to_char(r.ends_on, 'YYYY-MM-DD') || ':' || r.reminder)
            ORDER BY r.ended_at, r.id
            LIMIT @Most
        )
        """;

    private const string Told =
        """
        ,
        told AS (
            INSERT INTO notifications (kind, user_id, to_address, locale, payload, dedupe_key, subject_type, subject_id, created_at)
            SELECT 'renewal_reminder', u.id, u.email, u.locale,
                   jsonb_strip_nulls(due.about || jsonb_build_object(
                       'subject_type', @SubjectType::text, 'subject_id', due.id, 'ends_on', to_char(due.ends_on, 'YYYY-MM-DD'),
                       'days_left', greatest(due.ends_on - @Today, 0), 'charge_on', to_char(due.charge_on, 'YYYY-MM-DD'),
                       'account_url', @AccountUrl::text)),
                   due.dedupe_key, @SubjectType, due.id, @Now
            FROM due
            JOIN users AS u ON u.id = due.user_id
            ORDER BY due.ended_at, due.id
            ON CONFLICT (dedupe_key) DO NOTHING
            RETURNING subject_id
        )
        """;

    private const string Totals =
        """
        SELECT count(*)::int AS seen, (SELECT count(*) FROM told)::int AS reminded,
               (array_agg(ended_at ORDER BY ended_at DESC, id DESC))[1] AS last_end,
               (array_agg(id ORDER BY ended_at DESC, id DESC))[1] AS last_id
        FROM term
        """;

    private Task<Batch> BatchAsync(string terms, string reminders, Parameters parameters) =>
        run.DryRun || run.WantsItems
            ? BatchWithItemsAsync(terms, reminders, parameters)
            : db.TransactionAsync(
                tx => tx.SingleAndCommitAsync<Batch>($"{Due(terms, reminders)}{Told} {Totals}", parameters), TimeSpan.FromMinutes(2), run.Aborting);

    private const string Rows =
        """
        SELECT term.id, term.ended_at, due.ends_on, due.reminder
        FROM term
        LEFT JOIN due ON due.id = term.id
        """;

    private const string InOrder = "ORDER BY term.ended_at, term.id";

    private async Task<Batch> BatchWithItemsAsync(string terms, string reminders, Parameters parameters)
    {
        var sql = run.DryRun
            ? $"{Due(terms, reminders)} {Rows} {InOrder}"
            : $"{Due(terms, reminders)}{Told} {Rows} AND due.id IN (SELECT subject_id FROM told) {InOrder}";
        var rows = await db.TransactionAsync(tx => tx.QueryAsync<Row>(sql, parameters), TimeSpan.FromMinutes(2), run.Aborting);
        foreach (var row in rows.Where(r => r.Reminder is not null))
        {
            run.Item(
                row.Id, "reminded", ("subject_type", parameters.SubjectType), ("ends_on", row.EndsOn), ("reminder", row.Reminder));
        }

        return new Batch
        {
            Seen = rows.Count,
            Reminded = rows.Count(r => r.Reminder is not null),
            LastEnd = rows.LastOrDefault()?.EndedAt,
            LastId = rows.LastOrDefault()?.Id,
        };
    }

    /// <returns>Distinct, the earliest reminder first.</returns>
    private static int[] ParseDays(string text)
    {
        var days = new SortedSet<int>(text.Split(',').Select(part =>
            int.TryParse(part.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var day) && day <= 366
                ? day
                : throw new FormatException("whole days from 0 to 366, such as 30,15,5,0")));
        return [.. days.Reverse()];
    }
}
