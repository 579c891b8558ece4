using System.Globalization;

namespace Jobs.Demo;

/// <summary>The same people are an association, too: memberships, visits, a desk where some pay in cash.</summary>
internal sealed class Association(Business business)
{
    /// <summary>Takes the money at the desk.</summary>
    public const long Staff = 9001;

    /// <summary>Whose circus membership is paid in cash today.</summary>
    public const long Newcomer = 150;

    /// <summary>Gets a membership as a present.</summary>
    public const long Honoured = 2000;

    public const int IdleSessions = 120;
    public const int OldAuditRows = 2500;
    public const int VisitsYesterday = 4;

    // How many basic memberships end in so many days; 29: their reminder was due yesterday, when nothing ran.
    private static readonly (int Days, int Members)[] Ending = [(30, 10), (29, 5), (15, 8), (5, 6), (0, 4)];

    public static int Reminders => Ending.Sum(e => e.Members);

    public async Task IntoDatabaseAsync(Database database)
    {
        var today = Business.Zone.Date(business.Now);
        await database.ExecuteAsync($"INSERT INTO users (id, email, name, locale, role) VALUES ({Text(Staff)}, 'desk@example.test', 'The desk', 'en', 'staff')");
        await database.ExecuteAsync("SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))");
        var ends = Ending.SelectMany(e => Enumerable.Repeat(e.Days, e.Members)).Concat(Enumerable.Range(0, 127).Select(n => 40 + (n * 2))).ToArray();
        await database.ExecuteAsync(
            """
            INSERT INTO memberships (user_id, type, start_date, end_date, reduced_price)
            SELECT n, 'basic', $1::date + days - 364, $1::date + days, n % 5 = 0
            FROM unnest($2::int[]) WITH ORDINALITY AS ending (days, n)
            """,
            today, ends);
        await database.ExecuteAsync(
            """
            INSERT INTO attendances (user_id, attended_on)
            SELECT 1 + (n * 7 + ago * 13) % 160, $1::date - ago
            FROM generate_series(1, 70) AS ago, generate_series(1, CASE WHEN ago = 1 THEN $2 ELSE 40 + ago % 7 * 5 END) AS n
            """,
            today, VisitsYesterday);
        await database.ExecuteAsync(
            "INSERT INTO sessions (user_id, updated_at) SELECT n, $1::timestamptz - CASE WHEN n <= $2 THEN interval '15 days' ELSE interval '1 day' END FROM generate_series(1, 300) AS n",
            business.Now, IdleSessions);
        await database.ExecuteAsync(
            """
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, created_at)
            SELECT 'autopayment', 'payment.succeeded', 'payment', n, $1::timestamptz - interval '8 months' + n * interval '1 minute' FROM generate_series(1, $2) AS n
            """,
            business.Now, OldAuditRows);
    }

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
