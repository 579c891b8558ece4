namespace Jobs.Database;

/// <summary>The names of libpq's parameters: those that work here, those that are refused, and those of other programs.</summary>
internal static class LibpqNames
{
    /// <summary>Read by <see cref="LibpqSettings"/>.</summary>
    private static readonly string[] Understood =
    [
        "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "connect_timeout", "client_encoding", "options",
        "application_name", "fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval", "sslmode", "ssl",
        "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslrootcert", "channel_binding", "require_auth", "gssencmode",
        "krbsrvname", "target_session_attrs", "load_balance_hosts",
    ];

    /// <summary>Accepted without effect: Npgsql always behaves in one harmless way.</summary>
    private static readonly string[] WithoutEffect =
        ["keepalives_count", "tcp_user_timeout", "sslcompression", "sslsni", "gsslib", "gssdelegation"];

    private static readonly Dictionary<string, string> Refused = new(StringComparer.Ordinal)
    {
        ["service"] = "is not supported: write out what the service file says",
        ["servicefile"] = "is not supported: write out what the service file says",
        ["replication"] = "is not supported: these programs read and write tables",
        ["requirepeer"] = "is not supported: use TLS with sslmode=verify-full",
        ["requiressl"] = "is no longer in use: write sslmode=require",
        ["sslcrl"] = "is not supported: revocation lists are not read",
        ["sslcrldir"] = "is not supported: revocation lists are not read",
        ["sslcertmode"] = "is not supported: leave out sslcert to send no certificate",
        ["ssl_min_protocol_version"] = "is not supported: the operating system sets the versions of TLS",
        ["ssl_max_protocol_version"] = "is not supported: the operating system sets the versions of TLS",
        ["min_protocol_version"] = "is not supported: remove it",
        ["max_protocol_version"] = "is not supported: remove it",
        ["sslkeylogfile"] = "is not supported: it would reveal what TLS hides",
        ["scram_client_key"] = "is not supported: give the password",
        ["scram_server_key"] = "is not supported: give the password",
        ["oauth_issuer"] = "is not supported: use a password or a certificate",
        ["oauth_client_id"] = "is not supported: use a password or a certificate",
        ["oauth_client_secret"] = "is not supported: use a password or a certificate",
        ["oauth_scope"] = "is not supported: use a password or a certificate",
        ["schema"] = "is no parameter of PostgreSQL: write options=-csearch_path%3Dname",
        ["currentSchema"] = "is no parameter of PostgreSQL: write options=-csearch_path%3Dname",
        ["search_path"] = "is no parameter of a URL: write options=-csearch_path%3Dname",
        ["statement_timeout"] = "is no parameter of a URL: write options=-cstatement_timeout%3D30s",
        ["pgbouncer"] = "is not needed: these programs keep no state in a session, so remove it",
        ["connection_limit"] = "is no parameter of PostgreSQL: remove it",
        ["pool_timeout"] = "is no parameter of PostgreSQL: write connect_timeout",
        ["database"] = "is called dbname in PostgreSQL",
        ["username"] = "is called user in PostgreSQL",
    };

    public static bool IsKnown(string name) =>
        Understood.Contains(name, StringComparer.Ordinal) || WithoutEffect.Contains(name, StringComparer.Ordinal) || Refused.ContainsKey(name);

    /// <param name="name">As written.</param>
    /// <param name="quotable">Whether an unknown name may be repeated in the error: no, where it may be part of a password.</param>
    public static void Check(string name, bool quotable)
    {
        if (Refused.TryGetValue(name, out var reason))
            throw new DatabaseUrlException($"The database URL's parameter {name} {reason}.");
        if (!IsKnown(name))
            throw new DatabaseUrlException($"The database URL has an unknown parameter{Suggestion.For(name, quotable, [.. Understood, .. Refused.Keys.Where(key => key.StartsWith("ss", StringComparison.Ordinal))])}.");
    }
}
