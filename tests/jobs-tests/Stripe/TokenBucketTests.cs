using Jobs.Stripe;
using Xunit;

namespace Jobs.Tests.Stripe;

public sealed class TokenBucketTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(10, 5)]
    [InlineData(20, 0)]
    [InlineData(20, 5)]
    [InlineData(80, 0)]
    [InlineData(80, 5)]
    public async Task The_rate_holds_with_late_timers_and_never_bursts(int perSecond, int latenessMs)
    {
        var clock = new TestClock { Lateness = TimeSpan.FromMilliseconds(latenessMs) };
        using var bucket = new TokenBucket(perSecond, clock);
        var sent = new List<long>();
        var count = perSecond * 10;
        for (var i = 0; i < count; i++)
        {
            await bucket.WaitAsync(CancellationToken.None);
            sent.Add(clock.GetTimestamp());
        }

        var seconds = TimeSpan.FromTicks(sent[^1] - sent[0]).TotalSeconds;
        Assert.InRange(count / seconds, perSecond * 0.97, perSecond * 1.12);
        AssertNoMoreThanCapacity(sent, perSecond);
    }

    [Fact]
    public async Task After_a_pause_only_a_tenth_of_a_second_comes_at_once()
    {
        var clock = new TestClock();
        using var bucket = new TokenBucket(80, clock);
        await bucket.WaitAsync(CancellationToken.None);
        clock.Advance(TimeSpan.FromHours(1));
        var start = clock.GetTimestamp();
        var atOnce = 0;
        while (bucket.WaitAsync(CancellationToken.None).IsCompleted && clock.GetTimestamp() == start)
            atOnce++;
        Assert.Equal(8, atOnce);
    }

    [Fact]
    public async Task Waiters_are_served_in_order_and_a_cancelled_one_takes_nothing()
    {
        var clock = new TestClock();
        using var bucket = new TokenBucket(1, clock);
        await bucket.WaitAsync(CancellationToken.None);
        using var source = new CancellationTokenSource();
        var order = new List<int>();
        await source.CancelAsync();
        var cancelled = bucket.WaitAsync(source.Token);
        var first = bucket.WaitAsync(CancellationToken.None).ContinueWith(_ => order.Add(1), TaskContinuationOptions.ExecuteSynchronously);
        await first;
        var second = bucket.WaitAsync(CancellationToken.None).ContinueWith(_ => order.Add(2), TaskContinuationOptions.ExecuteSynchronously);
        await second;
        Assert.True(cancelled.IsCanceled);
        Assert.Equal([1, 2], order);
        Assert.InRange(TimeSpan.FromTicks(clock.GetTimestamp()), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2.1));
    }

    [Fact]
    public async Task A_waiter_cancelled_in_the_queue_leaves_it()
    {
        using var bucket = new TokenBucket(1, TimeProvider.System);
        await bucket.WaitAsync(CancellationToken.None);
        using var source = new CancellationTokenSource();
        var waiting = bucket.WaitAsync(source.Token);
        Assert.False(waiting.IsCompleted);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task Too_many_requests_slow_it_down_for_a_while()
    {
        var clock = new TestClock();
        using var bucket = new TokenBucket(20, clock);
        await Take(20);
        var before = clock.GetTimestamp();
        bucket.SlowDown();
        bucket.SlowDown();
        await Take(10);
        var slow = TimeSpan.FromTicks(clock.GetTimestamp() - before);
        Assert.InRange(slow.TotalSeconds, 0.7, 1.2);
        await Take(100);
        before = clock.GetTimestamp();
        await Take(100);
        Assert.InRange(TimeSpan.FromTicks(clock.GetTimestamp() - before).TotalSeconds, 4.8, 5.2);

        async Task Take(int count)
        {
            for (var i = 0; i < count; i++)
                await bucket.WaitAsync(CancellationToken.None);
        }
    }

    /// <summary>A bucket of the rate's size on the other side, filled at the rate, never runs dry.</summary>
    private static void AssertNoMoreThanCapacity(List<long> sent, int perSecond)
    {
        double tokens = perSecond;
        for (var i = 0; i < sent.Count; i++)
        {
            if (i > 0)
                tokens = Math.Min(perSecond, tokens + (TimeSpan.FromTicks(sent[i] - sent[i - 1]).TotalSeconds * perSecond));
            Assert.True(tokens >= 1 - 1e-9, $"send {i} would have been refused");
            tokens--;
        }
    }
}
