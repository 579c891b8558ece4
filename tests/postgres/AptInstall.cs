namespace Jobs.Testing;

/// <summary>The last resort on a bare Debian or Ubuntu: install the server programs, and only those.</summary>
internal static class AptInstall
{
    private const string ClusterSettings = "/etc/postgresql-common/createcluster.conf";

    public static bool Possible => Environment.IsPrivilegedProcess && File.Exists("/etc/debian_version") && Command.Find("apt-get") is not null;

    /// <summary>Null when it worked, else the reason why not.</summary>
    public static async Task<string?> RunAsync(CancellationToken cancel)
    {
        // Debian would otherwise start a server of its own on port 5432 and leave it running.
        if (!File.Exists(ClusterSettings))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(ClusterSettings)!);
            await File.WriteAllTextAsync(ClusterSettings, "create_main_cluster = false\n", cancel);
        }

        var install = await InstallAsync(cancel);
        if (!install.Succeeded)
        {
            await Command.RunAsync(TimeSpan.FromMinutes(3), "apt-get", ["update", "-qq"], cancel);
            install = await InstallAsync(cancel);
        }

        return install.Succeeded ? null : "apt-get install postgresql failed: " + install.Output.Split('\n')[^1];
    }

    private static Task<Command> InstallAsync(CancellationToken cancel) =>
        Command.RunAsync(
            TimeSpan.FromMinutes(10), "apt-get",
            ["install", "-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "postgresql"], cancel);
}
