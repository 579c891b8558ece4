using Jobs.Tests.Rig;

namespace Jobs.Tests.Dashboard;

/// <summary>A counter in the middle of an afternoon: two readers, a queue, some payments, a lock. Names are whatever people typed.</summary>
internal static class DashboardScene
{
    public const string Cyrillic = "Анастасия Преображенская-Константинопольская";
    public const string Long = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessen";
    public const string Markup = "<img src=x onerror=\"document.title='owned'\">";
    public const string Escapes = "\e[2Jgone\a";

    private const string Afternoon =
        """
        INSERT INTO users (id, email, name, role) VALUES
            (1, 'desk@example.test', 'Desk', 'staff'), (2, 'ada@example.test', 'Ada', 'member'), (3, 'c@example.test', @Cyrillic, 'member'),
            (4, 'l@example.test', @Long, 'member'), (5, 'm@example.test', @Markup, 'member'), (6, 'e@example.test', @Escapes, 'member'),
            (7, 'nameless@example.test', '', 'member');
        INSERT INTO payment_terminals (id, name, provider_reader_id, status, last_seen_at, last_error, retry_at) VALUES
            (1, 'Bar', 'rdr_1', 'busy', now(), '', NULL),
            (2, 'Entrance', 'rdr_2', 'offline', now() - interval '2 hours', 'READER_OFFLINE', now() + interval '10 minutes');
        INSERT INTO payments (id, user_id, purpose, amount_minor, currency, status, method, provider) VALUES
            (11, 2, 'membership', 1000, 'eur', 'processing', 'card_terminal', 'sumup'),
            (12, 3, 'order', 123450, 'eur', 'pending', 'card_terminal', 'sumup'),
            (13, 4, 'other', 250000, 'jpy', 'pending', 'card_terminal', 'sumup');
        INSERT INTO payment_queue (id, payment_id, terminal_id, status, attempts, started_at, created_at, reason) VALUES
            (21, 11, 1, 'processing', 1, now() - interval '20 seconds', now() - interval '1 minute', ''),
            (22, 12, NULL, 'waiting', 0, NULL, now() - interval '3 hours', ''),
            (23, 13, NULL, 'waiting', 0, NULL, now() - interval '10 seconds', 'the reader asked for is busy');
        INSERT INTO payments (id, user_id, purpose, amount_minor, amount_refunded_minor, currency, status, method, succeeded_at, failure_code, recorded_by) VALUES
            (31, 5, 'membership', 1000, 0, 'eur', 'succeeded', 'cash', now(), NULL, 1),
            (32, 6, 'other', 2500, 500, 'eur', 'succeeded', 'cash', now(), NULL, 1),
            (33, 7, 'other', 700, 0, 'eur', 'failed', 'card_terminal', NULL, 'card_declined', 1),
            (34, 2, 'order', 9900, 9900, 'usd', 'refunded', 'check', now(), NULL, 1);
        -- Near misses: a card online, and the day before.
        INSERT INTO payments (id, user_id, amount_minor, status, method, created_at, succeeded_at) VALUES
            (41, 2, 77700, 'succeeded', 'card', now(), now()),
            (42, 2, 88800, 'succeeded', 'cash', now() - interval '2 days', now() - interval '2 days');
        ALTER TABLE payments ALTER COLUMN id RESTART WITH 1000;
        INSERT INTO receipts (number, payment_id, amount_minor, currency) VALUES ('2026-000031', 31, 1000, 'eur'), ('2026-000032', 32, 2500, 'eur');
        INSERT INTO leases (name, holder, expires_at) VALUES
            ('payment:user:2', 'till7/boot/pid:[1] 4711 99 0193f4d0a1b27c3d8e4f5a6b7c8d9e0f', now() + interval '2 minutes'),
            ('payment:user:3', 'till7/boot/pid:[1] 4712 99 0193f4d0a1b27c3d8e4f5a6b7c8d9e0f', now() - interval '1 second'),
            ('autopayment', 'somebody', now() + interval '1 hour')
        """;

    public static async Task<JobWorld> CounterAsync(this PostgresFixture fixture)
    {
        var world = await fixture.WorldAsync();
        await world.ExecuteAsync(Afternoon, new { Cyrillic, Long, Markup, Escapes });
        return world;
    }

    public static Task FallbackAsync(this JobWorld world, string value) => world.ExecuteAsync(
        "INSERT INTO settings (key, value) VALUES ('payment_fallback_mode', @value::jsonb) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        new { value });

    /// <summary>Runs the command to its end, in text unless told otherwise.</summary>
    public static async Task<JobResult> DashboardAsync(this JobWorld world, params string[] args)
    {
        using var process = world.Start("jobctl", ["dashboard", .. args]);
        return await process.EndAsync(TimeSpan.FromSeconds(60));
    }
}
