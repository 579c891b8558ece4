using System.Collections.Concurrent;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class WatchdogTests
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    [Fact]
    public void A_pool_that_stands_still_is_noticed_and_an_alarm_rings_meanwhile()
    {
        using var stalled = new ManualResetEventSlim();
        using var rang = new ManualResetEventSlim();
        using var watchdog = new Watchdog(_ => { }, Tick, stalled.Set);
        watchdog.At(TimeSpan.FromMilliseconds(20), rang.Set);
        watchdog.Start();

        Assert.True(rang.Wait(Long, TestContext.Current.CancellationToken));
        Assert.True(stalled.Wait(Long, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_pool_that_answers_late_is_left_alone()
    {
        var asked = new ConcurrentQueue<Action>();
        using var stalled = new ManualResetEventSlim();
        using var thirdTime = new ManualResetEventSlim();
        using var watchdog = new Watchdog(
            sign =>
            {
                // The sign of life before this one comes just as the next is asked for.
                asked.Enqueue(sign);
                if (asked.Count == 3)
                {
                    thirdTime.Set();
                }

                _ = Task.Delay(Tick * 4).ContinueWith(_ => sign(), TaskScheduler.Default);
            },
            Tick * 2,
            stalled.Set);
        watchdog.Start();

        Assert.True(thirdTime.Wait(Long, TestContext.Current.CancellationToken));
        Assert.False(stalled.IsSet);
    }

    [Fact]
    public void An_alarm_far_away_does_not_ring_and_a_nearer_one_set_later_does()
    {
        using var far = new ManualResetEventSlim();
        using var near = new ManualResetEventSlim();
        using var watchdog = new Watchdog(sign => sign(), Long, () => { });
        watchdog.Start();
        watchdog.At(TimeSpan.FromDays(1000), far.Set);
        watchdog.At(TimeSpan.FromMilliseconds(20), near.Set);

        Assert.True(near.Wait(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        Assert.False(far.IsSet);
    }
}
