using System.Data.Common;
using Npgsql;

namespace Jobs.Database;

/// <summary>Npgsql's own connection strings: <c>Host=db;Username=jobs;Password=...;Database=shop</c>.</summary>
internal static class NpgsqlKeywords
{
    /// <summary>For "did you mean" only; Npgsql decides what it knows.</summary>
    internal static readonly string[] Names =
    [
        "Host", "Server", "Port", "Database", "Username", "User Id", "Password", "Passfile", "Application Name", "Enlist", "Search Path",
        "Client Encoding", "Encoding", "Timezone", "SSL Mode", "SSL Negotiation", "GSS Encryption Mode", "SSL Certificate", "SSL Key",
        "SSL Password", "Root Certificate", "Check Certificate Revocation", "Kerberos Service Name", "Include Realm",
        "Persist Security Info", "Log Parameters", "Include Error Detail", "Include Failed Batched Command", "Channel Binding",
        "Require Auth", "Pooling", "Minimum Pool Size", "Maximum Pool Size", "Connection Idle Lifetime", "Connection Pruning Interval",
        "Connection Lifetime", "Timeout", "Command Timeout", "Cancellation Timeout", "Target Session Attributes", "Load Balance Hosts",
        "Host Recheck Seconds", "Keepalive", "TCP Keepalive", "TCP Keepalive Time", "TCP Keepalive Interval", "Read Buffer Size",
        "Write Buffer Size", "Socket Receive Buffer Size", "Socket Send Buffer Size", "Max Auto Prepare", "Auto Prepare Min Usages",
        "No Reset On Close", "Options", "Array Nullability Mode", "Multiplexing",
    ];

    public static NpgsqlConnectionStringBuilder Parse(string text)
    {
        var pairs = new DbConnectionStringBuilder();
        try
        {
            pairs.ConnectionString = text;
        }
        catch (ArgumentException)
        {
            throw new DatabaseUrlException("The database URL is neither a postgresql:// address nor a list of Name=value pairs with semicolons: put a value that contains ; or quotes in double quotes.");
        }

        var builder = new NpgsqlConnectionStringBuilder
        {
            GssEncryptionMode = GssEncryptionMode.Disable,
            NoResetOnClose = true,
            IncludeErrorDetail = false,
            MaxAutoPrepare = 0,
        };
        foreach (string name in pairs.Keys)
            Set(builder, name, pairs[name]);
        builder.PersistSecurityInfo = false;

        if (string.IsNullOrWhiteSpace(builder.Host))
            throw new DatabaseUrlException("The database URL names no server: add Host=.");
        Validate(builder);
        return builder;
    }

    private static void Set(NpgsqlConnectionStringBuilder builder, string name, object value)
    {
        if (!builder.ContainsKey(name))
            throw new DatabaseUrlException($"The database URL has an unknown parameter{Suggestion.For(name, quotable: true, Names)}.");
        try
        {
            builder[name] = value;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or InvalidCastException or NotSupportedException)
        {
            throw new DatabaseUrlException($"The database URL's parameter {name} has a value that is not allowed for it: see Npgsql's list of connection string parameters.");
        }
    }

    /// <summary>Npgsql checks how the parameters go together only when they are used.</summary>
    private static void Validate(NpgsqlConnectionStringBuilder builder)
    {
        try
        {
            using var source = NpgsqlDataSource.Create(builder);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or InvalidOperationException or FormatException)
        {
            throw new DatabaseUrlException("The database URL's parameters contradict each other, most likely the pool's sizes or times, or Target Session Attributes with a single host: correct or remove them.");
        }
    }
}
