namespace Jobs.Bench;

/// <summary>One line of the table: what was promised, what came out.</summary>
/// <param name="Ratio">Measured over target; below 1 is better, unless more is better.</param>
/// <param name="Passes">Null: a yardstick, without a target.</param>
internal sealed record Result(string Line, string What, string Target, string Measured, double? Ratio, bool? Passes)
{
    /// <summary>Measured over what the same cost when written otherwise, in the same run.</summary>
    public Ratios Of { get; init; } = Ratios.None;

    /// <summary>A figure that must not exceed its target.</summary>
    public static Result AtMost(string line, string what, double measured, double target, string unit, string remark = "") => new(
        line, what, FormattableString.Invariant($"<= {target:0.##} {unit}").TrimEnd(), FormattableString.Invariant($"{measured:0.##} {unit}").TrimEnd() + remark,
        target == 0 ? null : measured / target, measured <= target);

    public static Result AtLeast(string line, string what, double measured, double target, string unit, string remark = "") => new(
        line, what, FormattableString.Invariant($">= {target:0.##} {unit}").TrimEnd(), FormattableString.Invariant($"{measured:0.##} {unit}").TrimEnd() + remark,
        measured / target, measured >= target);

    public static Result Yardstick(string line, string what, string measured) => new(line, what, "", measured, null, null);

    public static Result NotMeasured(string line, string what, string why) => Yardstick(line, what, $"not measured: {why}");

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
