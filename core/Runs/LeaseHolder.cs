using System.Globalization;

namespace Jobs.Runs;

/// <summary>
/// Who holds a lease: host, boot, process id space, process id and start time, and the run. Whoever finds a lease held by
/// a process of its own host that is gone need not wait for the lease to run out.
/// </summary>
public static class LeaseHolder
{
    public static string Current(Guid run) => $"{Place()} {Environment.ProcessId} {StartTime(Environment.ProcessId)} {run:N}";

    /// <returns>True only when the holder certainly ended: same host, boot and process id space, and no such process.</returns>
    public static bool IsGone(string holder)
    {
        var parts = holder.Split(' ');
        return parts.Length == 4
            && parts[0] == Place()
            && parts[0] != "?"
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            && parts[2] is not ("" or "?")
            // Where other users' processes are hidden, not to be seen proves nothing.
            && StartTime(1) != "?"
            && StartTime(pid) != parts[2];
    }

    /// <returns>The run id within the holder, or null when the holder is not of our making.</returns>
    public static Guid? Run(string holder) =>
        Guid.TryParseExact(holder.Split(' ')[^1], "N", out var run) ? run : null;

    /// <returns>The host within it.</returns>
    public static string Host(string holder) => holder.Split(' ')[0].Split('/')[0];

    private static string Place()
    {
        var boot = ReadOrEmpty("/proc/sys/kernel/random/boot_id");
        string? space = null;
        try
        {
            space = File.ResolveLinkTarget("/proc/self/ns/pid", returnFinalTarget: false)?.Name;
        }
        catch (IOException)
        {
            // No /proc: then no holder is ever taken for gone.
        }

        return boot.Length == 0 || space is null ? "?" : $"{Environment.MachineName}/{boot}/{space}";
    }

    private static string StartTime(int pid)
    {
        // The 22nd field; the second, the command in brackets, may hold spaces.
        var stat = ReadOrEmpty(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // A zombie has ended; only its parent has not noticed yet.
        return fields.Length > 19 && fields[0] != "Z" ? fields[19] : "?";
    }

    private static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
