namespace Jobs.Runs;

/// <summary>
/// How long a lease lives that its holder does not renew, and how often the holder renews it. All runs of a job must agree: a run that
/// waits for a lease tells a dead holder from a living one by it.
/// </summary>
internal sealed class LeaseLife
{
    public const string Variable = "JOBS_LEASE";

    // Below, a holder that the machine keeps waiting for a moment would be taken for dead.
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    // The deadlines that are rendered from the catalogue leave time for no longer wait.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(45);

    public static readonly LeaseLife Default = new(Longest);

    private LeaseLife(TimeSpan length) => Length = length;

    public TimeSpan Length { get; }

    /// <summary>After each of these the holder renews it.</summary>
    public TimeSpan Beat => Length / 3;

    /// <summary>By then a lease has been renewed, or it has run out: unless its end was set by a wrong clock or by hand.</summary>
    public TimeSpan LongestWait => Length + Beat;

    public static LeaseLife From(Settings settings)
    {
        if (settings.Optional(Variable) is not { } text)
        {
            return Default;
        }

        try
        {
            var length = Duration.Parse(text);
            if (length >= Shortest && length <= Longest)
            {
                return new LeaseLife(length);
            }
        }
        catch (FormatException)
        {
            // Said below, as of a duration that is out of bounds.
        }

        throw new OperatorException($"{Variable} must be a duration from {Duration.Format(Shortest)} to {Duration.Format(Longest)}, not '{text}'");
    }
}
