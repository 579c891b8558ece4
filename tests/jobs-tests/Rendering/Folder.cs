using System.Runtime.Versioning;

[assembly: UnsupportedOSPlatform("windows")]

namespace Jobs.Tests.Rendering;

/// <summary>A folder that goes with its test.</summary>
internal sealed class Folder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rendering");

    public string Path => _folder.FullName;

    /// <summary>Every file's text, by its path within.</summary>
    public SortedDictionary<string, string> Read() => new(
        Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories).ToDictionary(file => System.IO.Path.GetRelativePath(Path, file), File.ReadAllText),
        StringComparer.Ordinal);

    public IEnumerable<string> EmptyFolders() => Directory.EnumerateDirectories(Path, "*", SearchOption.AllDirectories)
        .Where(folder => !Directory.EnumerateFileSystemEntries(folder).Any());

    /// <returns>The path of what was written.</returns>
    public string Write(string name, string text, bool executable = false)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, executable ? (UnixFileMode)0b111_101_101 : (UnixFileMode)0b110_100_000);
        return path;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
