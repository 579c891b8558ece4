namespace Jobs.Statistics;

/// <summary>
/// What is unusual, by median and MAD (median absolute deviation): a few odd days among the earlier ones neither hide the next
/// nor make it one, as they would with mean and standard deviation.
/// </summary>
public static class Outlier
{
    private const int LeastHistory = 4;

    // Iglewicz and Hoaglin: a robust z above 3.5. 1.4826 makes the MAD of a normal distribution its standard deviation.
    private const double MostZ = 3.5;
    private const double DeviationsPerMad = 1.4826;

    /// <param name="history">Comparable values, in any order.</param>
    /// <param name="leastDifference">What deviates by less is never unusual, however even the history.</param>
    /// <returns>The expected value, which is the median, when the value is unusual; null when it is not, or when the history is too short to tell.</returns>
    public static double? Expected(long value, IReadOnlyCollection<long> history, double leastDifference)
    {
        if (history.Count < LeastHistory)
        {
            return null;
        }

        var median = Median(history.Select(h => (double)h));
        var difference = Math.Abs(value - median);
        var deviation = DeviationsPerMad * Median(history.Select(h => Math.Abs(h - median)));
        return difference >= leastDifference && difference > MostZ * deviation ? median : null;
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
