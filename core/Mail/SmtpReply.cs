namespace Jobs.Mail;

/// <param name="Lines">Without their codes.</param>
internal sealed record SmtpReply(int Code, IReadOnlyList<string> Lines)
{
    private const int LongestQuote = 300;

    public bool IsPositive => Code is >= 200 and < 300;

    /// <summary>The server closes the connection with it, at whatever step.</summary>
    public bool EndsConversation => Code == 421;

    /// <summary>Wants a login, or does not like ours: nothing to do with this mail or that.</summary>
    public bool IsAboutLogin => Code is 530 or 534 or 535 or 538;

    public override string ToString()
    {
        var text = string.Join(' ', Lines).Trim();
        return $"{Code} {(text.Length > LongestQuote ? text[..LongestQuote] : text)}".TrimEnd();
    }
}

/// <summary>The conversation broke off: the line was lost, the server fell silent or spoke something else than SMTP.</summary>
internal sealed class SmtpBrokenException(string message, Exception? inner = null) : Exception(message, inner);
