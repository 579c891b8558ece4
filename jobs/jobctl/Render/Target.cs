using Jobs.Runs;

namespace Jobs.Render;

/// <param name="Path">Within the folder that is rendered into, with /.</param>
/// <param name="Text">All of it.</param>
internal sealed record RenderedFile(string Path, string Text)
{
    /// <summary>In the first lines of each file that is written here, and of no other: one that a job left behind is known by it.</summary>
    public const string Mark = "Rendered from the catalogue of jobs by `jobctl render`";
}

/// <param name="Path">The file.</param>
/// <param name="Text">What it is to hold; null: its job is gone, and so it goes.</param>
internal sealed record Change(string Path, string? Text)
{
    public void Make()
    {
        if (Text is null)
        {
            File.Delete(Path);
            var folder = System.IO.Path.GetDirectoryName(Path)!;
            if (!Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Directory.Delete(folder);
            }

            return;
        }

        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        File.WriteAllText(Path, Text);
    }
}

/// <summary>One way of running the jobs on a schedule, as files made from the catalogue.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Place">The file, or the folder, that holds what is rendered, within the folder that is rendered into.</param>
/// <param name="Files">What they are to be, of these jobs in this time zone.</param>
internal sealed record Target(string Name, string Place, Func<IReadOnlyList<JobDefinition>, string, IEnumerable<RenderedFile>> Files)
{
    public static readonly IReadOnlyList<Target> All =
    [
        new("crontab", Crontab.Place, Crontab.Files),
        new("systemd", SystemdUnits.Place, SystemdUnits.Files),
        new("kubernetes", Kubernetes.Place, Kubernetes.Files),
        new("compose", Compose.Place, Compose.Files),
    ];

    /// <summary>What differs in <paramref name="folder"/> from what the catalogue says.</summary>
    public IEnumerable<Change> Changes(string folder, IReadOnlyList<JobDefinition> jobs, string zone)
    {
        var files = Files(jobs, zone).Select(file => new Change(Path.Combine(folder, file.Path), file.Text)).ToList();
        var current = files.Select(file => file.Path).ToHashSet(StringComparer.Ordinal);
        var place = Path.Combine(folder, Place);
        var stale = Directory.Exists(place)
            ? Directory.EnumerateFiles(place, "*", SearchOption.AllDirectories)
                .Where(path => !current.Contains(path) && File.ReadLines(path).Take(3).Any(line => line.Contains(RenderedFile.Mark, StringComparison.Ordinal)))
                .Order(StringComparer.Ordinal)
                .Select(path => new Change(path, null))
            : [];
        return files.Where(file => !File.Exists(file.Path) || File.ReadAllText(file.Path) != file.Text).Concat(stale);
    }
}
