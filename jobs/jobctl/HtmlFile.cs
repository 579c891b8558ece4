using System.Text;
using Jobs.Runs;

namespace Jobs;

/// <summary>A page in a file. Whoever reads it finds the one before or the new one, never half of one.</summary>
internal static class HtmlFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <exception cref="OperatorException">It names a folder.</exception>
    public static string PathOf(string path) =>
        Directory.Exists(path) ? throw new OperatorException($"--html must name a file; '{path}' is a folder") : Path.GetFullPath(path);

    /// <exception cref="OperatorException">The file cannot be written.</exception>
    public static void Write(string path, string html)
    {
        var draft = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{Environment.ProcessId}.tmp");
        try
        {
            File.WriteAllText(draft, html, Utf8);
            File.Move(draft, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Discard(draft);
            throw new OperatorException($"the page '{path}' cannot be written: {e.Message}", e);
        }
    }

    private static void Discard(string draft)
    {
        try
        {
            File.Delete(draft);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What keeps it from being written keeps it from being deleted.
        }
    }
}
