using Jobs.Billing;
using Jobs.Database;

namespace Jobs.Terminals;

/// <param name="Changed">False when there was nothing to change: nothing was written then, unless one whose time was over was ended.</param>
/// <param name="State">After the call.</param>
public sealed record FallbackChange(bool Changed, FallbackState State);

/// <summary>
/// The switch of the card terminals' degraded mode. A person's word stands above the machine's: a failure never replaces or
/// shortens what somebody activated, and a recovery never ends it. Each change is a compare-and-set under the row's lock, with
/// one audit row and one mail to staff; repeating a call changes nothing.
/// </summary>
/// <param name="staffEmail">Who hears of it; null: nobody.</param>
/// <remarks>Its row is locked last in a transaction: after the payer, the payment and the queue.</remarks>
public sealed class FallbackMode(string? staffEmail)
{
    internal const string Key = "payment_fallback_mode";

    /// <summary>The state as it stands, without any lock; ask <see cref="FallbackState.IsActive"/>.</summary>
    public static async Task<FallbackState> ReadAsync(Tx tx) =>
        FallbackState.Parse(await tx.SingleOrDefaultAsync<string>("SELECT value::text FROM settings WHERE key = @Key", new { Key }));

    /// <param name="origin">Its actor is who activates: a person's name, or the job that saw the failures.</param>
    /// <param name="until">When it ends by itself.</param>
    /// <param name="automatic">By failures: leaves alone whatever is active. By a person: takes over what failures activated, and leaves a person's alone.</param>
    public async Task<FallbackChange> ActivateAsync(Tx tx, Origin origin, string reason, DateTime? until = null, bool automatic = false)
    {
        var state = await EndedIfOverAsync(tx, origin, await LockAsync(tx));
        if (state.Active && (automatic || !state.Automatic))
        {
            // The answer of an earlier COMMIT was lost, and it went through.
            return new(tx.IsRepetition && state.Since == origin.Now && state.Actor == origin.Actor, state);
        }

        var next = state with
        {
            Active = true,
            Automatic = automatic,
            Reason = reason,
            Actor = origin.Actor,
            Since = state.Active ? state.Since ?? origin.Now : origin.Now,
            Until = until,
            EndedAt = null,
            EndedBy = null,
            EndReason = null,
        };
        await WriteAsync(tx, origin, next, "staff_fallback_on", "fallback.activated");
        return new(true, next);
    }

    /// <param name="origin">Its actor is who ends it.</param>
    /// <param name="onlyAutomatic">A recovery: leaves alone what a person activated.</param>
    public async Task<FallbackChange> EndAsync(Tx tx, Origin origin, string? reason = null, bool onlyAutomatic = false)
    {
        var state = await EndedIfOverAsync(tx, origin, await LockAsync(tx));
        if (!state.Active || (onlyAutomatic && !state.Automatic))
        {
            return new(tx.IsRepetition && state.EndedAt == origin.Now && state.EndedBy == origin.Actor, state);
        }

        return new(true, await EndAsync(tx, origin, state, origin.Now, origin.Actor, reason));
    }

    /// <summary>Writes down the end of one whose time is over, told once; whoever sees it first calls this. Cheap when there is none.</summary>
    public async Task<FallbackChange> EndExpiredAsync(Tx tx, Origin origin)
    {
        var state = await ReadAsync(tx);
        if (!state.IsOver(origin.Now))
        {
            return new(false, state);
        }

        state = await LockAsync(tx);
        var ended = await EndedIfOverAsync(tx, origin, state);
        return new(ended != state, ended);
    }

    private async Task<FallbackState> EndedIfOverAsync(Tx tx, Origin origin, FallbackState state) => state.IsOver(origin.Now)
        ? await EndAsync(tx, origin, state, state.Until!.Value, state.Actor, "until")
        : state;

    private async Task<FallbackState> EndAsync(Tx tx, Origin origin, FallbackState state, DateTime endedAt, string endedBy, string? reason)
    {
        var ended = state with { Active = false, EndedAt = endedAt, EndedBy = endedBy, EndReason = reason };
        await WriteAsync(tx, origin, ended, "staff_fallback_off", "fallback.ended");
        return ended;
    }

    private const string Lock =
        """
        INSERT INTO settings (key) VALUES (@Key) ON CONFLICT (key) DO NOTHING;
        SELECT value::text FROM settings WHERE key = @Key FOR UPDATE
        """;

    private static async Task<FallbackState> LockAsync(Tx tx) =>
        tx.ReadOnly ? await ReadAsync(tx) : FallbackState.Parse(await tx.SingleAsync<string>(Lock, new { Key }));

    // The dedupe key holds what makes the change this one: a machine's mode that a person takes over is told again.
    private const string Write =
        """
        WITH changed AS (
            UPDATE settings SET value = @state::jsonb, updated_at = clock_timestamp() WHERE key = @Key RETURNING key
        ),
        staff AS (
            INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
            SELECT @kind, @staffEmail, @state::jsonb, @dedupeKey, @Now
            FROM changed
            WHERE @staffEmail::text IS NOT NULL
            ON CONFLICT (dedupe_key) DO NOTHING
        )
        INSERT INTO audit_logs (actor, action, subject_type, run_id, data)
        SELECT @Actor, @action, 'setting', @RunId, jsonb_build_object('key', key) || @state::jsonb
        FROM changed
        """;

    private async Task WriteAsync(Tx tx, Origin origin, FallbackState state, string kind, string action)
    {
        if (tx.ReadOnly)
        {
            return;
        }

        var dedupeKey = string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{kind}:{state.Since ?? state.EndedAt:yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'}{(state.Active && !state.Automatic ? ":by_hand" : "")}");
        await tx.ExecuteAsync(
            Write, new { Key, state = state.ToJson(), kind, staffEmail, dedupeKey, action, origin.Now, origin.Actor, origin.RunId });
    }
}
