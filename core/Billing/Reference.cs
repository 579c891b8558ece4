namespace Jobs.Billing;

/// <summary>
/// The caller's own name for what is to be recorded. It makes a repetition harmless: whoever lost the answer asks again with
/// the same words and gets the first result.
/// </summary>
internal static class Reference
{
    private const int Longest = 200;

    /// <exception cref="RefusedException">Nothing to go by.</exception>
    public static void Check(string reference)
    {
        if (reference.Trim().Length == 0 || reference.Length > Longest || reference.Any(char.IsControl))
        {
            throw new RefusedException(RefusalReason.Invalid, $"the reference must be 1 to {Longest} characters without line breaks");
        }
    }

    /// <param name="what">What it stands for, such as "payment 7".</param>
    /// <param name="compared">What was asked for the first time and now.</param>
    /// <exception cref="RefusedException">The same reference, another wish.</exception>
    public static void CheckSame(string reference, string what, params ReadOnlySpan<(string Name, object? First, object? Now)> compared)
    {
        var differences = new List<string>();
        foreach (var (name, first, now) in compared)
        {
            if (!Equals(first, now))
            {
                differences.Add($"{name} {Text(first)}, not {Text(now)}");
            }
        }

        if (differences.Count > 0)
        {
            throw new RefusedException(
                RefusalReason.ReferenceUsed, $"the reference '{reference}' stands for {what}, which has {string.Join(" and ", differences)}");
        }
    }

    private static string Text(object? value) => value switch
    {
        null => "none",
        true => "yes",
        false => "no",
        _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!,
    };
}
