using System.Text;

namespace Jobs.Database;

/// <summary>
/// The grammar of libpq's URIs: <c>[user[:password]@][host[:port][,...]][/database][?name=value[&amp;...]]</c>.
/// </summary>
internal static class LibpqUri
{
    private const string HowToEncode = "in user and password write : as %3A, / as %2F, @ as %40, ? as %3F and a space as %20";

    /// <param name="rest">The URI after its scheme and <c>://</c>.</param>
    public static LibpqSettings Parse(string rest)
    {
        if (rest.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
            throw new DatabaseUrlException($"The database URL contains a space or a line break: {HowToEncode}.");

        var settings = new LibpqSettings();
        var afterUser = ReadUser(rest, settings);
        var tail = rest.IndexOfAny(['/', '?'], afterUser);
        var hosts = tail < 0 ? rest[afterUser..] : rest[afterUser..tail];
        // Somewhere behind the hosts stands an @ as it is written: what was taken for host and database may be a password.
        if (tail >= 0 && afterUser == 0 && rest.IndexOf('@', tail) >= 0 && hosts.Contains(':', StringComparison.Ordinal))
            throw new DatabaseUrlException($"The database URL has a \"/\" before its \"@\": {HowToEncode}.");
        ReadHosts(hosts, settings);
        if (tail < 0)
            return settings;

        var query = rest.IndexOf('?', tail);
        if (rest[tail] == '/')
            settings.Set("dbname", PercentEncoding.Decode(rest.AsSpan(tail + 1, (query < 0 ? rest.Length : query) - tail - 1), "the database"));
        if (query >= 0)
            ReadQuery(rest[(query + 1)..], settings);
        return settings;
    }

    /// <returns>Where the hosts begin.</returns>
    private static int ReadUser(string rest, LibpqSettings settings)
    {
        var end = rest.IndexOfAny(['@', '/']);
        if (end < 0 || rest[end] == '/')
            return 0;

        var user = rest.AsSpan(0, end);
        var colon = user.IndexOf(':');
        settings.Set("user", PercentEncoding.Decode(colon < 0 ? user : user[..colon], "the user"));
        if (colon >= 0)
            settings.Set("password", PercentEncoding.Decode(user[(colon + 1)..], "the password"));
        return end + 1;
    }

    private static void ReadHosts(string authority, LibpqSettings settings)
    {
        if (authority.Length == 0)
            return;
        if (authority.Contains('@', StringComparison.Ordinal))
            throw new DatabaseUrlException($"The database URL has more than one \"@\" before the database: {HowToEncode}.");

        var hosts = new StringBuilder();
        var ports = new StringBuilder();
        foreach (var (entry, number) in authority.Split(',').Select((entry, index) => (entry, index)))
        {
            var (host, port) = SplitPort(entry);
            hosts.Append(number > 0 ? "," : "").Append(PercentEncoding.Decode(host, "the host"));
            ports.Append(number > 0 ? "," : "").Append(PercentEncoding.Decode(port, "the port"));
        }

        settings.Set("host", hosts.ToString());
        settings.Set("port", ports.ToString());
    }

    private static (string Host, string Port) SplitPort(string entry)
    {
        if (entry.StartsWith('['))
        {
            var close = entry.IndexOf(']', StringComparison.Ordinal);
            if (close < 0)
                throw new DatabaseUrlException("The database URL has an IPv6 address without its closing bracket: write [2001:db8::1]:5432.");
            var address = entry[1..close];
            if (!System.Net.IPAddress.TryParse(address, out var parsed) || parsed.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6)
                throw new DatabaseUrlException("The database URL has something else than an IPv6 address in square brackets: write [2001:db8::1]:5432.");
            var after = entry[(close + 1)..];
            if (after.Length > 0 && after[0] != ':')
                throw new DatabaseUrlException("The database URL has more than a port after the bracket of an IPv6 address: write [2001:db8::1]:5432.");
            return (address, after.Length > 0 ? after[1..] : "");
        }

        var colon = entry.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0 && entry.IndexOf(':', colon + 1) >= 0)
            throw new DatabaseUrlException("The database URL has several colons in its host: write an IPv6 address in square brackets, [2001:db8::1]:5432, and a colon in a user or password as %3A.");
        return colon < 0 ? (entry, "") : (entry[..colon], entry[(colon + 1)..]);
    }

    private static void ReadQuery(string query, LibpqSettings settings)
    {
        // After a raw @ the text may be a password's, so a name found there is not repeated in an error.
        var quotable = !query.Contains('@', StringComparison.Ordinal);
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (var parameter in query.Split('&'))
        {
            if (parameter.Length == 0)
                continue;
            var equals = parameter.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || parameter.IndexOf('=', equals + 1) >= 0)
                throw new DatabaseUrlException("The database URL has a query parameter that is not name=value: write ?sslmode=require&connect_timeout=10, and a literal & as %26 and = as %3D.");
            var name = PercentEncoding.Decode(parameter.AsSpan(0, equals), "a parameter's name");
            LibpqNames.Check(name, quotable);
            var value = PercentEncoding.Decode(parameter.AsSpan(equals + 1), "the value of " + name);
            if (!seen.Add(name) && !string.Equals(settings.Get(name), value, StringComparison.Ordinal))
                throw new DatabaseUrlException($"The database URL gives {name} twice with different values: keep one.");
            settings.Set(name, value);
        }
    }
}
