using System.Globalization;

namespace Jobs.Testing;

/// <summary>
/// Who runs the server. PostgreSQL refuses to run as root, so root hands it to <c>postgres</c>, or to <c>nobody</c>
/// where there is no such user; anybody else runs it as himself.
/// </summary>
internal sealed record ServerAccount(string? Owner, string[] Prefix)
{
    public static async Task<ServerAccount> ChooseAsync(CancellationToken cancel)
    {
        if (!Environment.IsPrivilegedProcess)
            return new ServerAccount(null, []);

        foreach (var user in new[] { "postgres", "nobody" })
        {
            if (await NumberAsync("-u", user, cancel) is not { } uid || await NumberAsync("-g", user, cancel) is not { } gid)
                continue;
            string[][] ways =
            [
                ["setpriv", $"--reuid={uid}", $"--regid={gid}", "--clear-groups"],
                ["runuser", "-u", user, "--"],
                ["su", user, "-s", "/bin/sh", "-c", "exec \"$0\" \"$@\"", "--"],
            ];
            foreach (var way in ways)
            {
                var attempt = await Command.RunAsync(TimeSpan.FromSeconds(10), way[0], [.. way[1..], "sh", "-c", "id -u"], cancel);
                if (attempt.Succeeded && string.Equals(attempt.Output, uid, StringComparison.Ordinal))
                    return new ServerAccount($"{uid}:{gid}", way);
            }
        }

        throw new InvalidOperationException(
            "PostgreSQL does not run as root, and changing to the user postgres or nobody failed: run the tests as an ordinary user.");
    }

    private static async Task<string?> NumberAsync(string which, string user, CancellationToken cancel)
    {
        var id = await Command.RunAsync(TimeSpan.FromSeconds(10), "id", [which, user], cancel);
        return id.Succeeded && int.TryParse(id.Output, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? id.Output : null;
    }
}
