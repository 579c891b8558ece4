namespace Jobs.Mail;

/// <summary>A piece of a mail, of which both its parts are made.</summary>
internal abstract record MailBlock
{
    private MailBlock()
    {
    }

    public sealed record Paragraph(string Text) : MailBlock;

    /// <param name="Label">What is written before it.</param>
    public sealed record Link(string Label, string Url) : MailBlock;

    public sealed record Table(IReadOnlyList<MailRow> Rows) : MailBlock;
}

/// <param name="Label">Empty: a line of its own, such as a remark.</param>
/// <param name="Strong">What the table is about, such as the total.</param>
internal sealed record MailRow(string Label, string Value, bool Strong = false);

/// <summary>What a placeholder stands for.</summary>
internal abstract record MailValue
{
    private MailValue()
    {
    }

    public sealed record Text(string Value) : MailValue;

    public sealed record Link(string Url) : MailValue;

    public sealed record Rows(IReadOnlyList<MailRow> Value) : MailValue;
}
