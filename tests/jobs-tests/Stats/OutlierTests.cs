using FsCheck;
using FsCheck.Fluent;
using Jobs.Statistics;
using Xunit;

namespace Jobs.Tests.Stats;

public sealed class OutlierTests
{
    [Theory]
    [InlineData(100, 5, "50 50 50", null)]
    [InlineData(100, 5, "50 50 50 50", 50.0)]
    [InlineData(55, 5, "50 50 50 50", 50.0)]
    [InlineData(54, 5, "50 50 50 50", null)]
    [InlineData(45, 5, "50 50 50 50", 50.0)]
    [InlineData(46, 5, "50 50 50 50", null)]
    // An odd day or two among eight hide nothing.
    [InlineData(100, 5, "50 51 49 50 52 48 9000 -70", 50.0)]
    [InlineData(0, 5, "0 0 0 0", null)]
    public void A_value_is_unusual_by_the_median_and_the_least_difference(long value, double least, string history, double? expected) =>
        Assert.Equal(expected, Outlier.Expected(value, [.. history.Split(' ').Select(long.Parse)], least));

    [Fact]
    public void It_agrees_with_an_oracle_that_counts() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(2000).WithQuietOnSuccess(true),
        Prop.ForAll(Gen.Choose(-60, 60).ArrayOf().ToArbitrary(), Gen.Choose(-200, 200).ToArbitrary(), (history, value) =>
            Outlier.Expected(value, [.. history.Select(h => (long)h)], 7).HasValue == Unusual(value, history)));

    /// <summary>In whole numbers: doubled values have medians without halves, and 3.5 x 1.4826 is 51891/10000.</summary>
    private static bool Unusual(int value, int[] history)
    {
        if (history.Length < 4)
        {
            return false;
        }

        var median = DoubleMedian(history);
        var difference = Math.Abs(2 * value - median);
        var deviation = DoubleMedian([.. history.Select(h => Math.Abs(2 * h - median))]);
        return difference >= 2 * 7 && 2L * 10_000 * difference > 51_891L * deviation;
    }

    /// <summary>Twice the median: the sum of the two values in the middle, found by throwing out least and greatest in turn.</summary>
    private static int DoubleMedian(int[] values)
    {
        var left = values.ToList();
        while (left.Count > 2)
        {
            left.Remove(left.Min());
            left.Remove(left.Max());
        }

        return left.Min() + left.Max();
    }
}
