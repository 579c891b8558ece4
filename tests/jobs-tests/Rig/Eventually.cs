using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Jobs.Tests.Rig;

/// <summary>Waits until a condition holds, and fails when it does not come to that.</summary>
public static class Eventually
{
    // A test that passes waits no longer for it; a busy machine may need it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static async Task HoldsAsync(Func<Task<bool>> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        for (var clock = Stopwatch.StartNew(); !await condition(); await Task.Delay(20))
        {
            Assert.True(clock.Elapsed < (within ?? Patience), $"waited in vain: {what}");
        }
    }

    public static Task HoldsAsync(Func<bool> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        HoldsAsync(() => Task.FromResult(condition()), within, what);

    /// <param name="world">In whose database it is to hold.</param>
    /// <param name="condition">A SELECT of a boolean.</param>
    /// <param name="parameters">Its own.</param>
    /// <param name="within">The patience.</param>
    public static Task UntilAsync(this JobWorld world, string condition, object? parameters = null, TimeSpan? within = null) =>
        HoldsAsync(() => world.ScalarAsync<bool>(condition, parameters), within, condition);

    /// <summary>Until somebody in the world's database waits for a lock.</summary>
    public static Task UntilBlockedAsync(this JobWorld world) =>
        world.UntilAsync("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')");
}
