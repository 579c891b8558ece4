using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Jobs.Tests.Rig;

public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Waits until a condition holds, and fails when it does not come to that.</summary>
    public static async Task HoldsAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        for (var clock = Stopwatch.StartNew(); !await condition(); await Task.Delay(20))
        {
            Assert.True(clock.Elapsed < Patience, $"waited in vain: {what}");
        }
    }
}
