using Jobs.Billing;
using Jobs.Mail;
using Jobs.Runs;

namespace Jobs.Doctor;

/// <summary>What the environment says, and the folders it names.</summary>
internal static class SettingChecks
{
    public static IEnumerable<Check> All(ToolRun run) =>
    [
        new("environment", _ => Task.FromResult(Environment(run.Settings))),
        new("renewal policy", _ => Task.FromResult(Policy(run.Settings))),
        new("staff", _ => Task.FromResult(Staff(run.Settings))),
        new("mail", _ => Task.FromResult(MailWay(run.Settings))),
        new("metrics folder", _ => Task.FromResult(Folder("metrics folder", run.Settings, "METRICS_TEXTFILE_DIR"))),
    ];

    private static Finding Environment(Settings settings) => Finding.Ok(
        "environment", settings.Production ? "production: the safety catches are on" : $"{settings.Optional("APP_ENV") ?? "development"}: live Stripe keys are refused");

    private static Finding Policy(Settings settings)
    {
        var policy = RenewalPolicy.From(settings);
        return Finding.Ok("renewal policy", $"retries on day {(policy.RetryDays.Count > 0 ? string.Join(", ", policy.RetryDays) : "none")}, expiry after {policy.GraceDays} days");
    }

    private static Finding Staff(Settings settings) => settings.Optional("STAFF_EMAIL") is { } staff
        ? Finding.Ok("staff", $"{staff} hears of what needs people")
        : Finding.Warning("staff", "STAFF_EMAIL is not set: nobody hears of parked payments and refunds due", "set it");

    private static Finding MailWay(Settings settings)
    {
        if (settings.Optional("SMTP_URL") is null && settings.Optional("MAIL_PICKUP_DIR") is null)
        {
            return Finding.Skipped("mail", "neither SMTP_URL nor MAIL_PICKUP_DIR is set here; send-notifications needs one of them");
        }

        var mail = MailSettings.Of(settings);
        return mail.PickupDirectory is null ? Finding.Ok("mail", $"from {mail.From.Ascii()}, by SMTP") : Folder("mail", settings, "MAIL_PICKUP_DIR");
    }

    private static Finding Folder(string check, Settings settings, string variable)
    {
        if (settings.Optional(variable) is not { } folder)
        {
            return Finding.Skipped(check, $"{variable} is not set");
        }

        var trial = Path.Combine(folder, $".jobctl-doctor-{Guid.NewGuid():N}");
        try
        {
            File.WriteAllText(trial, "");
            File.Delete(trial);
            return Finding.Ok(check, $"{folder} can be written to");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Finding.Wrong(check, $"{variable} names {folder}, which cannot be written to: {e.Message}", "create it, and let the jobs' user write there");
        }
    }
}
