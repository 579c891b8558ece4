namespace Jobs.Doctor;

internal enum Health
{
    Ok,

    /// <summary>Not looked at: it is not set up here, or was not asked for.</summary>
    Skipped,

    /// <summary>Was wrong, and is right now.</summary>
    Fixed,

    /// <summary>Nobody is harmed yet.</summary>
    Warning,

    Wrong,
}

/// <summary>What one check found.</summary>
/// <param name="Check">Its name.</param>
/// <param name="Says">What is, in one sentence.</param>
/// <param name="Do">What to do about it.</param>
internal sealed record Finding(string Check, Health Health, string Says, string? Do = null)
{
    public static Finding Ok(string check, string says) => new(check, Health.Ok, says);

    public static Finding Skipped(string check, string says) => new(check, Health.Skipped, says);

    public static Finding Warning(string check, string says, string remedy) => new(check, Health.Warning, says, remedy);

    public static Finding Wrong(string check, string says, string remedy) => new(check, Health.Wrong, says, remedy);
}
