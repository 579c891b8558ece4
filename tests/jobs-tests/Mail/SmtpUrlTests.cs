using Jobs.Mail;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Mail;

public sealed class SmtpUrlTests
{
    [Theory]
    [InlineData("smtp://mail.example.test", "mail.example.test", 25, false, null, null)]
    [InlineData("smtp://u:p@mail.example.test", "mail.example.test", 587, false, "u", "p")]
    [InlineData("smtps://u:p@mail.example.test", "mail.example.test", 465, true, "u", "p")]
    [InlineData("smtp://ada@example.test:p%40ss%2Fw%25@mail.example.test:2525/", "mail.example.test", 2525, false, "ada@example.test", "p@ss/w%")]
    [InlineData("SMTP://u:p:q@[::1]:26", "::1", 26, false, "u", "p:q")]
    public void A_url_is_read(string text, string host, int port, bool tls, string? user, string? password)
    {
        var url = SmtpUrl.Parse(text);
        Assert.Equal((host, port, tls, user, password), (url.Host, url.Port, url.ImplicitTls, url.User, url.Password));
        Assert.Equal(StartTls.Auto, url.StartTls);
    }

    [Fact]
    public void Options_are_read()
    {
        var url = SmtpUrl.Parse("smtp://h?starttls=required&timeout=2m");
        Assert.Equal((StartTls.Required, TimeSpan.FromMinutes(2)), (url.StartTls, url.Timeout));
        Assert.Equal(StartTls.Off, SmtpUrl.Parse("smtp://h?starttls=off").StartTls);
    }

    [Theory]
    [InlineData("")]
    [InlineData("mail.example.test:25")]
    [InlineData("http://mail.example.test")]
    [InlineData("smtp://")]
    [InlineData("smtp://hunter2:@h")]
    [InlineData("smtp://hunter2@h")]
    [InlineData("smtp://:hunter2@h")]
    [InlineData("smtp://u:hunter2/x@h")]
    [InlineData("smtp://u:hunter2%zz@h")]
    [InlineData("smtp://u:hunter2%0d%0a@h")]
    [InlineData("smtp://u:hunter2@h:0")]
    [InlineData("smtp://u:hunter2@h:65536")]
    [InlineData("smtp://u:hunter2@h:x")]
    [InlineData("smtp://u:hunter2@h h")]
    [InlineData("smtp://u:hunter2@h?starttls=maybe")]
    [InlineData("smtp://u:hunter2@h?timeout=0s")]
    [InlineData("smtp://u:hunter2@h?x")]
    public void A_malformed_one_is_a_sentence_that_does_not_repeat_it(string text)
    {
        var e = Assert.Throws<OperatorException>(() => SmtpUrl.Parse(text));
        Assert.StartsWith("SMTP_URL ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", e.Message, StringComparison.Ordinal);
    }
}
