using System.Globalization;
using Npgsql;

namespace Jobs.Database;

/// <summary>The variables by which libpq's own programs log in where Npgsql did: nothing of it stands on a command line.</summary>
public static class LibpqEnvironment
{
    private const string SystemRoots = "/etc/ssl/certs/ca-certificates.crt";

    /// <param name="settings">As <see cref="DatabaseUrl.Parse"/> gave them.</param>
    /// <param name="host">Of several hosts the one that answered; null: as in the settings.</param>
    /// <exception cref="DatabaseUrlException">Something of it can be handed to those programs on a command line only.</exception>
    public static IReadOnlyDictionary<string, string> Of(NpgsqlConnectionStringBuilder settings, string? host = null, int? port = null)
    {
        if (settings.SslPassword is { Length: > 0 })
            throw new DatabaseUrlException("The database URL has an sslpassword, which pg_dump can only be given openly: use a key without one.");

        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        Set(variables, "PGHOST", host ?? settings.Host);
        Set(variables, "PGPORT", (port ?? settings.Port).ToString(CultureInfo.InvariantCulture));
        Set(variables, "PGDATABASE", settings.Database);
        Set(variables, "PGUSER", settings.Username);
        Set(variables, "PGPASSWORD", settings.Password);
        Set(variables, "PGPASSFILE", settings.Passfile);
        Set(variables, "PGAPPNAME", settings.ApplicationName);
        Set(variables, "PGOPTIONS", settings.Options);
        Set(variables, "PGCONNECT_TIMEOUT", settings.Timeout == 0 ? null : Math.Max(2, settings.Timeout).ToString(CultureInfo.InvariantCulture));
        Set(variables, "PGGSSENCMODE", settings.GssEncryptionMode.ToString().ToLowerInvariant());
        Set(variables, "PGKRBSRVNAME", settings.KerberosServiceName);
        Set(variables, "PGCHANNELBINDING", settings.ChannelBinding.ToString().ToLowerInvariant());
        Set(variables, "PGCLIENTENCODING", "UTF8");
        SetTls(variables, settings);
        return variables;
    }

    private static void SetTls(Dictionary<string, string> variables, NpgsqlConnectionStringBuilder settings)
    {
        var verified = settings.SslMode is SslMode.VerifyCA or SslMode.VerifyFull;
        Set(variables, "PGSSLMODE", settings.SslMode switch
        {
            SslMode.VerifyCA => "verify-ca",
            SslMode.VerifyFull => "verify-full",
            var mode => mode.ToString().ToLowerInvariant(),
        });
        // Npgsql trusts the system's roots where none is named; libpq looks into the home of whoever runs it.
        Set(variables, "PGSSLROOTCERT", settings.RootCertificate ?? (verified && File.Exists(SystemRoots) ? SystemRoots : null));
        Set(variables, "PGSSLCERT", settings.SslCertificate);
        Set(variables, "PGSSLKEY", settings.SslKey);
        if (settings.SslNegotiation == SslNegotiation.Direct)
            Set(variables, "PGSSLNEGOTIATION", "direct");
    }

    private static void Set(Dictionary<string, string> variables, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            variables[name] = value;
    }
}
