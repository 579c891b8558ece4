using System.Globalization;
using Npgsql;

namespace Jobs.Database;

/// <summary>libpq's parameters by name, and what they mean to Npgsql.</summary>
internal sealed class LibpqSettings
{
    private static readonly string[] Sessions = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"];

    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    /// <summary>Set and not empty: to libpq an empty value is as good as none.</summary>
    public string? Get(string name) => _values.TryGetValue(name, out var value) && value.Length > 0 ? value : null;

    public void Set(string name, string value) => _values[name] = value;

    public NpgsqlConnectionStringBuilder ToBuilder()
    {
        var user = Get("user") ?? Environment.UserName;
        var builder = new NpgsqlConnectionStringBuilder
        {
            Username = user,
            Password = Get("password"),
            Passfile = Get("passfile"),
            Database = Get("dbname") ?? user,
            ApplicationName = Get("application_name") ?? Get("fallback_application_name"),
            Options = Get("options"),
            KerberosServiceName = Get("krbsrvname") ?? "postgres",
            GssEncryptionMode = Choice("gssencmode", GssEncryptionMode.Disable, ("disable", GssEncryptionMode.Disable), ("prefer", GssEncryptionMode.Prefer), ("require", GssEncryptionMode.Require)),
            ChannelBinding = Choice("channel_binding", ChannelBinding.Prefer, ("disable", ChannelBinding.Disable), ("prefer", ChannelBinding.Prefer), ("require", ChannelBinding.Require)),
            NoResetOnClose = true,
            IncludeErrorDetail = false,
            PersistSecurityInfo = false,
            MaxAutoPrepare = 0,
        };
        SetServers(builder);
        SetTls(builder);
        SetTimes(builder);
        if (Get("client_encoding") is { } encoding && encoding.ToUpperInvariant() is not ("UTF8" or "UTF-8" or "UNICODE" or "AUTO"))
            throw Wrong("client_encoding", "must be UTF8: text is exchanged in UTF-8 whatever the database's own encoding");
        if (Get("require_auth") is { } methods)
        {
            try
            {
                // Npgsql spells the method without its hyphens.
                builder.RequireAuth = methods.Replace("scram-sha-256", "ScramSHA256", StringComparison.Ordinal);
            }
            catch (ArgumentException)
            {
                throw Wrong("require_auth", "must name authentication methods, such as scram-sha-256");
            }
        }

        return builder;
    }

    private void SetServers(NpgsqlConnectionStringBuilder builder)
    {
        string[] names = [.. (Get("host") ?? "").Split(',').Select(name => name.Length == 0 ? "localhost" : name)];
        var addresses = Get("hostaddr")?.Split(',');
        if (addresses is not null)
        {
            if (Get("host") is not null && addresses.Length != names.Length)
                throw Wrong("hostaddr", "must list as many addresses as there are hosts");
            if (Get("host") is not null && string.Equals(Get("sslmode"), "verify-full", StringComparison.Ordinal))
                throw Wrong("hostaddr", "cannot be combined with sslmode=verify-full, which needs to connect by name: leave one out");
            if (!Array.TrueForAll(addresses, address => System.Net.IPAddress.TryParse(address, out _)))
                throw Wrong("hostaddr", "must be an IP address");
            names = addresses;
        }

        if (names.Any(name => name.Any(c => char.IsControl(c) || (char.IsWhiteSpace(c) && !name.StartsWith('/')))))
            throw new DatabaseUrlException("The database URL has a space or a control character in its host: remove it.");
        var ports = Ports(names.Length);
        if (names.Length == 1)
        {
            builder.Host = names[0];
            builder.Port = ports[0];
        }
        else
        {
            builder.Host = string.Join(',', names.Zip(ports, (name, port) =>
                string.Create(CultureInfo.InvariantCulture, $"{(name.Contains(':', StringComparison.Ordinal) ? $"[{name}]" : name)}:{port}")));
        }

        builder.LoadBalanceHosts = names.Length > 1 && Choice("load_balance_hosts", false, ("disable", false), ("random", true));
        SetSession(builder, names.Length);
    }

    private int[] Ports(int count)
    {
        string[] texts = [.. (Get("port") ?? "").Split(',').Select(port => port.Length == 0 ? "5432" : port)];
        if (texts.Length != 1 && texts.Length != count)
            throw Wrong("port", "must be one port, or one for each host");
        var ports = Array.ConvertAll(texts, text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 0);
        if (!Array.TrueForAll(ports, port => port is > 0 and <= 65535))
            throw new DatabaseUrlException("The database URL has a port that is not a number from 1 to 65535: if it is part of the password, write : / and @ there as %3A, %2F and %40.");
        return ports.Length == count ? ports : [.. Enumerable.Repeat(ports[0], count)];
    }

    /// <summary>
    /// With one host there is nothing to choose, and Npgsql refuses to: a server that only reads will itself refuse the first write.
    /// </summary>
    private void SetSession(NpgsqlConnectionStringBuilder builder, int hosts)
    {
        var wanted = Choice("target_session_attrs", "any", [.. Sessions.Select(name => (name, name))]);
        if (hosts > 1)
            builder.TargetSessionAttributes = Get("target_session_attrs") is null ? null : wanted;
        else if (wanted is "read-only" or "standby")
            throw Wrong("target_session_attrs", "asks for a server that cannot be written to: remove it");
    }

    private void SetTls(NpgsqlConnectionStringBuilder builder)
    {
        var mode = Choice("sslmode", SslMode.Prefer, ("disable", SslMode.Disable), ("allow", SslMode.Allow), ("prefer", SslMode.Prefer), ("require", SslMode.Require), ("verify-ca", SslMode.VerifyCA), ("verify-full", SslMode.VerifyFull));
        if (Choice("ssl", false, ("true", true), ("false", false)) && mode is SslMode.Prefer)
            mode = SslMode.Require;

        var root = Get("sslrootcert");
        if (string.Equals(root, "system", StringComparison.Ordinal))
        {
            if (Get("sslmode") is not null && mode != SslMode.VerifyFull)
                throw Wrong("sslrootcert", "can only be \"system\" with sslmode=verify-full");
            (mode, root) = (SslMode.VerifyFull, null);
        }
        else if (root is not null && mode == SslMode.Require)
        {
            mode = SslMode.VerifyCA;
        }

        builder.SslMode = mode;
        builder.RootCertificate = root;
        builder.SslCertificate = Get("sslcert");
        builder.SslKey = Get("sslkey");
        builder.SslPassword = Get("sslpassword");
        builder.SslNegotiation = Choice("sslnegotiation", SslNegotiation.Postgres, ("postgres", SslNegotiation.Postgres), ("direct", SslNegotiation.Direct));
        if (builder.SslNegotiation == SslNegotiation.Direct && mode is SslMode.Disable or SslMode.Allow or SslMode.Prefer)
            throw Wrong("sslnegotiation", "can only be direct with sslmode=require, verify-ca or verify-full");
    }

    private void SetTimes(NpgsqlConnectionStringBuilder builder)
    {
        // libpq waits for ever on 0 or less, and so does Npgsql on 0; Npgsql's own limit is 1024 s.
        if (Number("connect_timeout") is { } seconds)
            builder.Timeout = Math.Clamp(seconds, 0, 1024);

        // libpq's keepalives are on by default, with the system's times.
        builder.TcpKeepAlive = Choice("keepalives", true, ("1", true), ("0", false));
        if (builder.TcpKeepAlive && Number("keepalives_idle") is > 0 and { } idle)
            builder.TcpKeepAliveTime = idle;
        if (builder.TcpKeepAlive && Number("keepalives_interval") is > 0 and { } interval)
            builder.TcpKeepAliveInterval = interval;
    }

    private int? Number(string name) =>
        Get(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
        : throw Wrong(name, "must be a whole number of seconds");

    private T Choice<T>(string name, T otherwise, params (string Text, T Value)[] choices)
    {
        if (Get(name) is not { } text)
            return otherwise;
        foreach (var choice in choices)
        {
            if (string.Equals(choice.Text, text, StringComparison.Ordinal))
                return choice.Value;
        }

        throw Wrong(name, $"must be one of {string.Join(", ", choices.Select(choice => choice.Text))}");
    }

    private static DatabaseUrlException Wrong(string name, string problem) => new($"The database URL's parameter {name} {problem}.");
}
