using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Jobs.Mail;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>Whatever a name or a text is made of: the mail is well formed, and says again what was put into it.</summary>
public sealed class MimeTests
{
    private static readonly DateTime Date = new(2026, 11, 20, 11, 0, 0, DateTimeKind.Utc);
    private static readonly MailSettings Settings = new(MailAddresses.ParseWithName("Club <office@example.test>"), null, null, null, null);

    private static readonly string[] Scraps =
    [
        "\r\n", "\r", "\n", "\0", "\r\nBcc: all@example.test", "\r\n\r\n", "\r\n.\r\n", ".", "..", "<b>", "&amp;", "=?utf-8?B?", "?=", "=20", "=", "\u202E", "\u2066", "\u2028", "\u0085",
        "שלום", "Привет", "日本語", "\U0001F4A9", "\uD800", "\uDC00", "é", "e\u0301", " ", "\t", "a", "--", "--=_text_", "From ", "\"", "\\", ",", ";", ":", "@", "<x@y.z>", new string('w', 1200), "\u001b[31m", "\u007f",
    ];

    private static readonly Arbitrary<string> Hostile = Arb.From(Gen.Elements(Scraps).ArrayOf().Select(string.Concat), text => text.Length == 0 ? [] : [text[..(text.Length / 2)], text[(text.Length / 2)..]]);

    [Fact]
    public void Any_subject_and_text_make_a_well_formed_mail_that_reads_back_the_same() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll(Hostile, Hostile, (subject, text) =>
        {
            var pdf = Encoding.UTF8.GetBytes(text);
            var mail = Mail(new Notification { Id = 7, Kind = "receipt", ToAddress = "ada@example.test", CreatedAt = Date }, subject, text, new MailAttachment("receipt.pdf", "application/pdf", pdf));
            var bytes = mail.Bytes();
            WellFormed(bytes);
            var read = MimeReader.Read(bytes);
            Assert.Equal(
                ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-Id", "Subject", "To", "X-Auto-Response-Suppress"],
                read.Headers.Select(h => h.Name).Order(StringComparer.Ordinal));
            Assert.Equal(OneLine.Of(subject, 250).Replace("=?", "=\u2060?", StringComparison.Ordinal), read["Subject"]);
            Assert.DoesNotContain(read["Subject"], c => char.IsControl(c) || c is '\u202E' or '\u2066');
            var leaves = read.Leaves().ToList();
            Assert.Equal(["text/plain; charset=utf-8", "text/html; charset=utf-8", "application/pdf"], leaves.Select(l => l["Content-Type"]));
            Assert.Equal(Body(text), leaves[0].Text);
            Assert.Equal(Body($"<p>{text}</p>"), leaves[1].Text);
            Assert.Equal(pdf, leaves[2].Content);
        }));

    [Fact]
    public void The_same_notification_is_the_same_mail_and_another_has_another_id()
    {
        var one = new Notification { Id = 7, Kind = "receipt", ToAddress = "ada@example.test", DedupeKey = "receipt:1", CreatedAt = Date };
        Assert.Equal(Mail(one).Bytes(), Mail(one).Bytes());
        // A restored backup gives the same id again, to something else.
        var other = new Notification { Id = 7, Kind = "receipt", ToAddress = "ada@example.test", DedupeKey = "receipt:2", CreatedAt = Date };
        Assert.NotEqual(Mail(one).MessageId, Mail(other).MessageId);
        Assert.EndsWith("@example.test", Mail(one).MessageId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 5L, "<mailto:office@example.test?subject=unsubscribe>", "")]
    [InlineData("https://example.test/u/{user_id}", 5L, "<https://example.test/u/5>", "List-Unsubscribe=One-Click")]
    [InlineData("http://example.test/u/{user_id}", 5L, "<http://example.test/u/5>", "")]
    [InlineData("https://example.test/u/{user_id}", null, "<mailto:office@example.test?subject=unsubscribe>", "")]
    public void A_reminder_says_how_to_unsubscribe(string? url, long? user, string header, string post)
    {
        var mail = MimeMail.Of(
            new Notification { Id = 1, Kind = "renewal_reminder", UserId = user, ToAddress = "ada@example.test" }, new MailContent("s", "t", "h", []),
            Settings with { UnsubscribeUrl = url }, Date);
        var read = MimeReader.Read(mail.Bytes());
        Assert.Equal((header, post), (read["List-Unsubscribe"], read["List-Unsubscribe-Post"]));
    }

    [Fact]
    public void A_mail_without_attachments_is_text_and_html_and_the_date_is_the_runs()
    {
        var read = MimeReader.Read(Mail(new Notification { Id = 1, ToAddress = "ada@example.test" }).Bytes());
        Assert.StartsWith("multipart/alternative", read["Content-Type"], StringComparison.Ordinal);
        Assert.Equal("Fri, 20 Nov 2026 11:00:00 +0000", read["Date"]);
        Assert.Equal("auto-generated", read["Auto-Submitted"]);
        Assert.Equal("Club <office@example.test>", read["From"]);
    }

    [Theory]
    [InlineData("Été <a@example.test>", "Été <a@example.test>")]
    [InlineData("\"Club, the \\ one\" <a@example.test>", "\"Club, the \\\\ one\" <a@example.test>")]
    [InlineData("a@example.test", "a@example.test")]
    public void The_senders_name_is_encoded_or_quoted(string from, string header)
    {
        var settings = Settings with { From = MailAddresses.ParseWithName(from) };
        var mail = MimeMail.Of(new Notification { Id = 1, ToAddress = "ada@example.test" }, new MailContent("s", "t", "h", []), settings, Date);
        Assert.Equal(header, MimeReader.Read(mail.Bytes())["From"]);
    }

    [Theory]
    [InlineData("ada@example.test", "ada@example.test")]
    [InlineData(" ada+club@example.test ", "ada+club@example.test")]
    [InlineData("o'neil@example.test", "o'neil@example.test")]
    [InlineData("jürgen@example.test", "jürgen@example.test")]
    [InlineData("ada@bücher.test", "ada@xn--bcher-kva.test")]
    public void An_address_is_taken(string text, string value) => Assert.Equal(value, MailAddresses.Parse(text).Ascii());

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("ada")]
    [InlineData("@example.test")]
    [InlineData("ada@")]
    [InlineData("ada@@example.test")]
    [InlineData("ada@example.test@evil.test")]
    [InlineData("ada@example.test\r\nRCPT TO:<bea@example.test>")]
    [InlineData("ada\r\n@example.test")]
    [InlineData("ada@example.test,bea@example.test")]
    [InlineData("ada bea@example.test")]
    [InlineData("<ada@example.test>")]
    [InlineData("ada>@example.test")]
    [InlineData("\"ada\"@example.test")]
    [InlineData("ada\0@example.test")]
    [InlineData("ada\u2028@example.test")]
    [InlineData("ada\u202E@example.test")]
    [InlineData("ada\uD800@example.test")]
    [InlineData("ada@exa mple.test")]
    [InlineData("ada@example..test")]
    [InlineData("ada@[127.0.0.1]")]
    [InlineData("ada@example.test>")]
    [InlineData("ada@-_.test")]
    public void An_address_is_refused(string text) => Assert.Throws<FormatException>(() => MailAddresses.Parse(text));

    [Fact]
    public void A_very_long_address_is_refused()
    {
        Assert.Equal(64, MailAddresses.Parse($"{new string('a', 64)}@example.test").LocalPart.Length);
        Assert.Throws<FormatException>(() => MailAddresses.Parse($"{new string('a', 65)}@example.test"));
        Assert.Throws<FormatException>(() => MailAddresses.Parse($"a@{string.Join('.', Enumerable.Repeat(new string('b', 60), 5))}"));
    }

    [Fact]
    public void A_name_of_10_kB_becomes_a_subject_of_reasonable_length()
    {
        var read = MimeReader.Read(Mail(new Notification { Id = 1, ToAddress = "ada@example.test" }, $"Receipt for {new string('é', 10_000)}").Bytes());
        Assert.InRange(read["Subject"].Length, 200, 260);
    }

    private static OutgoingMail Mail(Notification notification, string subject = "Hello", string text = "How are you?", params MailAttachment[] attachments) =>
        MimeMail.Of(notification, new MailContent(subject, text, $"<p>{text}</p>", attachments), Settings, Date);

    /// <summary>As a reader has it: every line end is CRLF, what no text can hold is U+FFFD.</summary>
    private static string Body(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(
        text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Replace('\0', '\uFFFD').Replace("\n", "\r\n", StringComparison.Ordinal)));

    /// <summary>ASCII, lines ended by CRLF and nothing else: of at most 998 characters in the header (a single long word is not folded at 78), 78 in the body.</summary>
    private static void WellFormed(ReadOnlySpan<byte> bytes)
    {
        Assert.True(Ascii.IsValid(bytes));
        var text = Encoding.ASCII.GetString(bytes);
        Assert.EndsWith("\r\n", text, StringComparison.Ordinal);
        Assert.All(text.Split("\r\n"), line => Assert.DoesNotContain(line, c => char.IsControl(c) && c != '\t'));
        var parts = text.Split("\r\n\r\n", 2);
        Assert.All(parts[0].Split("\r\n"), line => Assert.InRange(line.Length, 1, 998));
        Assert.All(parts[1].Split("\r\n"), line => Assert.InRange(line.Length, 0, 78));
    }
}
