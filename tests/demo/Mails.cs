using System.Text.RegularExpressions;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;

namespace Jobs.Demo;

/// <summary>A mail server that keeps what it gets, and afterwards a few mails of each kind in a folder to look at.</summary>
internal sealed class Mails : IAsyncDisposable
{
    private readonly SmtpServer _server = SmtpServer.Start();

    public string Url => FormattableString.Invariant($"smtp://127.0.0.1:{_server.Port}");
    public long Count => _server.Count;
    public int Twice => _server.Mails.GroupBy(m => m.MessageId, StringComparer.Ordinal).Count(same => same.Count() > 1);

    /// <summary>Takes so many mails, keeps the next one without an answer, and kills the sender there.</summary>
    public async Task KillAfterAsync(int mails, JobProcess sender)
    {
        _server.Fault(new SmtpFault(SmtpStep.Stored, SmtpTrouble.Hang, Nth: mails));
        await _server.HeldAsync();
        sender.Kill();
        await sender.EndAsync();
        _server.ClearFaults();
        _server.Release();
    }

    /// <returns>The folder, with a mail of each kind and language and the receipts that were attached.</returns>
    public async Task<string> LeaveAsync(Database database)
    {
        var folder = Stage.RepositoryFile("artifacts/demo/mails");
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        // Whose only mail it was: so the mail of an address is the mail of that kind.
        var samples = await database.NumbersAsync(
            """
            SELECT DISTINCT ON (kind, locale) kind || '.' || locale || ' ' || to_address, id
            FROM notifications AS n
            WHERE status = 'sent' AND (SELECT count(*) FROM notifications AS o WHERE o.to_address = n.to_address) = 1
            ORDER BY kind, locale, id
            """);
        foreach (var sample in samples.Keys)
        {
            var (name, address) = (sample.Split(' ')[0], sample.Split(' ')[1]);
            var mail = _server.Mails.First(m => m.To == address);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.eml"), mail.Bytes);
            if (Receipt(mail.Text) is { } pdf)
                await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.pdf"), pdf);
        }

        return folder;
    }

    private static byte[]? Receipt(string mail) =>
        Regex.Match(mail, @"Content-Type: application/pdf.*?\r\n\r\n(?<base64>[A-Za-z0-9+/=\r\n]+)", RegexOptions.Singleline | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5))
            is { Success: true } match
            ? Convert.FromBase64String(match.Groups["base64"].Value)
            : null;

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
