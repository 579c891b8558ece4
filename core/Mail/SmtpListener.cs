using System.Text;
using MailKit;

namespace Jobs.Mail;

/// <summary>
/// Counts the server's answers, also those that come through TLS. MailKit would take one that came too early, together with the
/// server's go-ahead, for the answer to the mail.
/// </summary>
internal sealed class SmtpListener : IProtocolLogger
{
    private string _unfinished = "";
    private int _answers;

    /// <summary>What was sent before the last bytes had more than one answer.</summary>
    public bool HeardTooMuch { get; private set; }

    public IAuthenticationSecretDetector? AuthenticationSecretDetector { get; set; }

    public void LogConnect(Uri uri)
    {
        // Only answers count.
    }

    public void LogClient(byte[] buffer, int offset, int count)
    {
        if (_answers > 0)
        {
            (HeardTooMuch, _answers) = (_answers > 1, 0);
        }
    }

    public void LogServer(byte[] buffer, int offset, int count)
    {
        var lines = (_unfinished + Encoding.Latin1.GetString(buffer, offset, count)).Split('\n');
        _unfinished = lines[^1];
        // "250-" has another line after it.
        _answers += lines[..^1].Count(line => line is not [_, _, _, '-', ..]);
    }

    public void Dispose()
    {
        // Nothing is held.
    }
}
