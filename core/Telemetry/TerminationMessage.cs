using System.Text;
using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>What `kubectl describe pod` shows of a container that ended: the run's result in one line, with its error.</summary>
internal static class TerminationMessage
{
    private const string Usual = "/dev/termination-log";
    private const int MostBytes = 4096;

    /// <summary>Kubernetes makes the file; where it is not there, nobody asks.</summary>
    public static void Leave(Settings settings, string line)
    {
        var path = settings.Optional("TERMINATION_MESSAGE_PATH") ?? Usual;
        if (!File.Exists(path))
        {
            return;
        }

        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.SetLength(0);
            file.Write(Encoding.UTF8.GetBytes(Utf8.Cut(line, MostBytes)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // The log says it too.
        }
    }
}
