using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Terminals;

/// <param name="Failures">In a row, this call included.</param>
/// <param name="Fallback">Whether this call activated or ended the fallback mode, and its state.</param>
public sealed record HealthChange(int Failures, FallbackChange Fallback);

/// <summary>
/// Whether the card terminals' provider answers, counted in `settings` under `payment_terminal_health`: failures in a row activate
/// the fallback mode, successes in a row end what failures activated. A declined card is a success: the provider works.
/// </summary>
/// <param name="fallback">The mode.</param>
/// <param name="failures">In a row, that activate it. Those from before somebody ended it do not count again.</param>
/// <param name="recoveries">Successes in a row, that end it.</param>
public sealed class ProviderHealth(FallbackMode fallback, int failures = 3, int recoveries = 2)
{
    internal const string Key = "payment_terminal_health";

    private const int LongestError = 200;

    public static ProviderHealth From(Settings settings, FallbackMode fallback) => new(
        fallback, settings.OptionalPositive("JOBS_TERMINAL_FAILURES") ?? 3, settings.OptionalPositive("JOBS_TERMINAL_RECOVERIES") ?? 2);

    /// <summary>The provider gave no answer, or one that says that it is down or does not know us.</summary>
    /// <param name="error">One line, without secrets; staff read it.</param>
    public async Task<HealthChange> FailedAsync(Tx tx, Origin origin, string error)
    {
        var health = await tx.SingleAsync<Health>(Lock, new { Key });
        var state = await FallbackMode.ReadAsync(tx);
        var first = health.FirstFailureAt is { } at && health.ConsecutiveFailures > 0 && !(state.EndedAt > at) ? at : (DateTime?)null;
        var count = first is null ? 1 : health.ConsecutiveFailures + 1;
        error = error.Length > LongestError ? error[..LongestError] : error;
        await WriteAsync(tx, count, first ?? origin.Now, error, successes: 0);
        return new(count, count < failures ? new(false, state) : await fallback.ActivateAsync(
            tx, origin, string.Create(CultureInfo.InvariantCulture, $"{count} failures in a row: {error}"), automatic: true));
    }

    /// <summary>The provider answered as it should. Reads, and writes nothing, while all is well.</summary>
    public async Task<HealthChange> WorkedAsync(Tx tx, Origin origin)
    {
        var health = await tx.SingleOrDefaultAsync<Health>(Read, new { Key }) ?? new();
        var state = await FallbackMode.ReadAsync(tx);
        if (health.ConsecutiveFailures == 0 && state is not { Active: true, Automatic: true })
        {
            return new(0, new(false, state));
        }

        health = await tx.SingleAsync<Health>(Lock, new { Key });
        var successes = health.ConsecutiveSuccesses + 1;
        if (state is not { Active: true, Automatic: true } || successes < recoveries)
        {
            await WriteAsync(tx, 0, null, health.LastError, state is { Active: true, Automatic: true } ? successes : 0);
            return new(0, new(false, state));
        }

        await WriteAsync(tx, 0, null, health.LastError, successes: 0);
        return new(0, await fallback.EndAsync(
            tx, origin, string.Create(CultureInfo.InvariantCulture, $"{successes} successes in a row"), onlyAutomatic: true));
    }

    private sealed class Health
    {
        public int ConsecutiveFailures { get; init; }
        public DateTime? FirstFailureAt { get; init; }
        public string? LastError { get; init; }
        public int ConsecutiveSuccesses { get; init; }
    }

    private const string Read =
        """
        SELECT coalesce((value ->> 'consecutive_failures')::int, 0) AS consecutive_failures,
               (value ->> 'first_failure_at')::timestamptz AS first_failure_at,
               value ->> 'last_error' AS last_error,
               coalesce((value ->> 'consecutive_successes')::int, 0) AS consecutive_successes
        FROM settings
        WHERE key = @Key
        """;

    private const string Lock =
        $"""
        INSERT INTO settings (key) VALUES (@Key) ON CONFLICT (key) DO NOTHING;
        {Read}
        FOR UPDATE OF settings
        """;

    private static Task WriteAsync(Tx tx, int failures, DateTime? firstFailureAt, string? lastError, int successes) =>
        tx.ExecuteAsync(
            "UPDATE settings SET value = @value::jsonb, updated_at = clock_timestamp() WHERE key = @Key",
            new
            {
                Key,
                value = JsonText.Of(
                    ("consecutive_failures", failures), ("first_failure_at", firstFailureAt), ("last_error", lastError),
                    ("consecutive_successes", successes)),
            });
}
