using System.Collections.Concurrent;
using Jobs.Database;

namespace Jobs.Runs;

/// <summary>
/// The environment of a run. Any secret NAME may come as NAME_FILE instead, naming a file that holds it (Docker and
/// Kubernetes secrets). A missing or contradictory variable is an <see cref="OperatorException"/> that names it.
/// </summary>
public sealed class Settings
{
    /// <summary>All variables the product reads, as `.env.example` lists them.</summary>
    public static readonly IReadOnlyList<string> KnownNames =
    [
        "DATABASE_URL", "STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_MAX_REQUESTS_PER_SECOND",
        "SUMUP_API_KEY", "SUMUP_MERCHANT_CODE", "SUMUP_AFFILIATE_KEY", "SUMUP_APP_ID", "SUMUP_API_BASE",
        "SMTP_URL", "MAIL_PICKUP_DIR", "MAIL_FROM", "MAIL_UNSUBSCRIBE_URL", "MAIL_REDIRECT_TO", "STAFF_EMAIL", "PAYMENT_ACTION_URL",
        "ARCHIVE_URL", "BACKUP_URL", "BACKUP_DATABASE_URL", "BACKUP_VERIFY_URL", "BACKUP_AGE_RECIPIENT", "BACKUP_AGE_IDENTITY_FILE",
        "BACKUP_GPG_RECIPIENT", "LOG_DIR", "JOBS_TIME_ZONE", "LOG_LEVEL", "APP_ENV",
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
        "TERMINATION_MESSAGE_PATH", "PUSHGATEWAY_URL", "METRICS_TEXTFILE_DIR", "HEALTHCHECKS_URL",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
        LeaseLife.Variable, "RENEWAL_RETRY_DAYS", "RENEWAL_GRACE_DAYS", "JOBS_TERMINAL_FAILURES", "JOBS_TERMINAL_RECOVERIES",
        "BUSINESS_NAME", "BUSINESS_ADDRESS", "BUSINESS_REGISTRATION", "MAIL_TEMPLATES_DIR", "STAFF_LOCALE", "ACCOUNT_URL",
    ];

    /// <summary>Those whose values are struck out of logs, and that whoever deploys keeps apart.</summary>
    public static readonly IReadOnlyList<string> SecretNames =
    [
        "DATABASE_URL", "STRIPE_SECRET_KEY", "SUMUP_API_KEY", "SUMUP_AFFILIATE_KEY", "SMTP_URL", "BACKUP_DATABASE_URL", "BACKUP_VERIFY_URL",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "PUSHGATEWAY_URL", "HEALTHCHECKS_URL", "OTEL_EXPORTER_OTLP_HEADERS",
    ];

    private readonly IReadOnlyDictionary<string, string> _values;

    // Read once: a secret that is exchanged on the disk during a run must not differ from the one that is struck out of the log.
    private readonly ConcurrentDictionary<string, string> _files = new(StringComparer.Ordinal);

    public Settings(IReadOnlyDictionary<string, string> values) => _values = values;

    /// <summary>The process's environment; underneath it, on a developer's build only, the nearest `.env` file.</summary>
    internal static Dictionary<string, string> VariablesOfProcess()
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        if (AppContext.TryGetSwitch("Jobs.ReadDotEnv", out var read) && read)
        {
            DotEnv.ReadNearest(Directory.GetCurrentDirectory(), values);
        }

        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            values[(string)variable.Key] = (string?)variable.Value ?? "";
        }

        return values;
    }

    /// <summary>"production" turns the safety catches on: see the README's table of variables.</summary>
    public bool Production => string.Equals(Optional("APP_ENV"), "production", StringComparison.OrdinalIgnoreCase);

    /// <summary>By itself or as a file, which is not read.</summary>
    public bool IsSet(string name) => Plain(name) is not null || Plain(name + "_FILE") is not null;

    /// <returns>The value without surrounding blanks, or null when unset or empty.</returns>
    public string? Optional(string name)
    {
        var value = Plain(name);
        var file = Plain(name + "_FILE");
        if (file is null)
        {
            return value;
        }

        if (value is not null)
        {
            throw new OperatorException($"both {name} and {name}_FILE are set; keep one of them");
        }

        try
        {
            var text = _files.GetOrAdd(file, path => File.ReadAllText(path).Trim());
            return text.Length > 0 ? text : throw new OperatorException($"{name}_FILE names the file '{file}', which is empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException($"{name}_FILE names the file '{file}', which cannot be read: {e.Message}", e);
        }
    }

    public string Required(string name, string purpose)
    {
        var value = Optional(name);
        if (value is not null)
        {
            return value;
        }

        var near = _values.Keys.Where(k => !KnownNames.Contains(k) && !k.EndsWith("_FILE", StringComparison.Ordinal))
            .FirstOrDefault(k => Suggestion.Nearest(k, [name]) is not null);
        throw new OperatorException(near is null
            ? $"{name} is not set; set it to {purpose}"
            : $"{name} is not set; {near} is, did you mean {name}?");
    }

    public int? OptionalPositive(string name) => Optional(name) is not { } text ? null
        : int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var n) && n > 0 ? n
        : throw new OperatorException($"{name} must be a whole number above 0, not '{text}'");

    /// <summary>Every secret that is set, for the log's redaction; unreadable ones are reported where they are needed.</summary>
    public IEnumerable<string> SecretValues()
    {
        foreach (var name in SecretNames)
        {
            string? value = null;
            try
            {
                value = Optional(name);
            }
            catch (OperatorException)
            {
                // Named again, with its remedy, by the code that needs it.
            }

            if (value is not null)
            {
                yield return value;
            }
        }
    }

    private string? Plain(string name) =>
        _values.TryGetValue(name, out var value) && value.Trim() is { Length: > 0 } trimmed ? trimmed : null;
}
