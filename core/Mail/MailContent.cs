namespace Jobs.Mail;

/// <summary>What a mail says: the same in plain text and in HTML, and what is attached.</summary>
/// <param name="Subject">One line, without control characters.</param>
public sealed record MailContent(string Subject, string Text, string Html, IReadOnlyList<MailAttachment> Attachments);

/// <param name="FileName">ASCII.</param>
/// <param name="MediaType">Such as <c>application/pdf</c>.</param>
public sealed record MailAttachment(string FileName, string MediaType, byte[] Content);
