using System.Globalization;

namespace Jobs.Bench;

/// <summary>What a container with <c>--cpus 0.1 --memory 128m</c> is to the kernel: a control group, and nothing else. For processes of ours alone.</summary>
internal sealed class Box : IDisposable
{
    private const string Period = "100000";
    private const string Quota = "10000";
    private const string Bytes = "134217728";
    private const string Root = "/sys/fs/cgroup";

    private readonly List<string> _groups = [];

    private Box()
    {
    }

    /// <summary>For a shell, before it becomes the program.</summary>
    public string Enter => string.Concat(_groups.Select(group => $"echo $$ > {group}/cgroup.procs && "));

    /// <returns>Null where the kernel or our rights do not allow it, and why.</returns>
    public static (Box? Box, string WhyNot) Make()
    {
        var box = new Box();
        var name = string.Create(CultureInfo.InvariantCulture, $"jobs-bench-{Environment.ProcessId}");
        try
        {
            if (File.Exists($"{Root}/cgroup.controllers"))
            {
                File.WriteAllText($"{Root}/cgroup.subtree_control", "+cpu +memory");
                box.Add($"{Root}/{name}", ("cpu.max", $"{Quota} {Period}"), ("memory.max", Bytes));
            }
            else
            {
                box.Add($"{Root}/cpu/{name}", ("cpu.cfs_period_us", Period), ("cpu.cfs_quota_us", Quota));
                box.Add($"{Root}/memory/{name}", ("memory.limit_in_bytes", Bytes));
            }

            return (box, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            box.Dispose();
            return (null, $"no control group of our own ({e.Message})");
        }
    }

    private void Add(string group, params ReadOnlySpan<(string File, string Value)> limits)
    {
        Directory.CreateDirectory(group);
        _groups.Add(group);
        foreach (var (file, value) in limits)
            File.WriteAllText(Path.Combine(group, file), value);
    }

    public void Dispose()
    {
        foreach (var group in _groups)
        {
            try
            {
                // Empty of processes a group is removed, whatever files it shows.
                Directory.Delete(group);
            }
            catch (IOException e)
            {
                Progress.Say($"{group} is left behind: {e.Message}");
            }
        }
    }
}
