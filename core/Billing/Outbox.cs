using Jobs.Database;

namespace Jobs.Billing;

/// <summary>Mail to be: written in the transaction of what it tells of, at most once per dedupe key, delivered later.</summary>
public static class Outbox
{
    private const string ToUser =
        """
        INSERT INTO notifications (kind, user_id, to_address, locale, payload, dedupe_key, created_at)
        SELECT @kind, id, email, locale, @payload::jsonb, @dedupeKey, @Now
        FROM users
        WHERE id = @userId AND email <> ''
        ON CONFLICT (dedupe_key) DO NOTHING
        """;

    /// <summary>Nobody without an address is written to.</summary>
    public static Task NotifyUserAsync(this Tx tx, Origin origin, string kind, long userId, string dedupeKey, string payload) =>
        tx.ExecuteAsync(ToUser, new { kind, userId, dedupeKey, payload, origin.Now });
}
