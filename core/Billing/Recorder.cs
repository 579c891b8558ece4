namespace Jobs.Billing;

/// <summary>Who may record payments and memberships.</summary>
internal static class Recorder
{
    /// <param name="role">Of the user; null: there is none.</param>
    /// <exception cref="RefusedException">Neither staff nor admin.</exception>
    public static void Check(long recordedBy, string? role)
    {
        if (role is not ("staff" or "admin"))
        {
            throw new RefusedException(RefusalReason.RecorderRefused, role is null
                ? $"there is no user {recordedBy} who could record this"
                : $"user {recordedBy} is a {role}, and only staff and administrators record");
        }
    }
}
