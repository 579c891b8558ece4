using System.Text;

namespace Jobs.Mail;

/// <summary>Both parts of a mail from the same blocks.</summary>
internal static class MailLayout
{
    public static string Text(IReadOnlyList<MailBlock> blocks, Business business, Language language)
    {
        var colon = language.Of("\u00A0: ", ": ", ": ");
        var text = new StringBuilder();
        foreach (var block in blocks)
        {
            text.Append(block switch
            {
                MailBlock.Paragraph paragraph => paragraph.Text,
                MailBlock.Link { Label: "" } link => link.Url,
                MailBlock.Link link => $"{link.Label}{colon}{link.Url}",
                MailBlock.Table table => string.Join('\n', table.Rows.Select(r => r.Label.Length > 0 ? $"{r.Label}{colon}{r.Value}" : r.Value)),
                _ => "",
            }).Append("\n\n");
        }

        return text.Append(string.Join('\n', ["-- ", .. Sender(business)])).Append('\n').ToString();
    }

    public static string Html(string subject, IReadOnlyList<MailBlock> blocks, Business business, Language language)
    {
        var page = new StringBuilder();
        Open(page, Escape(subject), Escape(business.Name), language.Code());
        foreach (var block in blocks)
        {
            switch (block)
            {
                case MailBlock.Paragraph paragraph:
                    page.Append($"""<p style="margin:0 0 16px">{Escape(paragraph.Text).Replace("\n", "<br>", StringComparison.Ordinal)}</p>""");
                    break;
                case MailBlock.Link link:
                    Button(page, link);
                    break;
                case MailBlock.Table table:
                    Table(page, table);
                    break;
            }

            page.Append('\n');
        }

        Close(page, string.Join("<br>", Sender(business).Select(Escape)));
        return page.ToString();
    }

    public static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal);

    private static IEnumerable<string> Sender(Business business) =>
        [.. new[] { business.Name }.Where(name => name.Length > 0), .. business.Address, .. new[] { business.Registration }.OfType<string>()];

    private static void Button(StringBuilder page, MailBlock.Link link)
    {
        var url = Escape(link.Url);
        page.Append($"""
            <p style="margin:8px 0 24px"><a class="button" href="{url}" style="display:inline-block;padding:12px 22px;border-radius:6px;background:#1f4e5f;color:#ffffff;font-weight:600;text-decoration:none">{(link.Label.Length > 0 ? Escape(link.Label) : url)}</a></p>
            """);
    }

    private static void Table(StringBuilder page, MailBlock.Table table)
    {
        page.Append("""<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse;table-layout:fixed;margin:8px 0 24px">""");
        foreach (var row in table.Rows)
        {
            var weight = row.Strong ? "font-weight:700;font-size:18px" : "";
            page.Append(row.Label.Length > 0
                ? $"""
                    <tr><td class="line quiet" dir="auto" style="padding:9px 12px 9px 0;border-top:1px solid #e3e8eb;color:#5c6b73;vertical-align:top">{Escape(row.Label)}</td><td class="line" dir="auto" style="padding:9px 0;border-top:1px solid #e3e8eb;text-align:right;vertical-align:top;{weight}">{Escape(row.Value)}</td></tr>
                    """
                : $"""
                    <tr><td class="line quiet" colspan="2" style="padding:9px 0;border-top:1px solid #e3e8eb;color:#5c6b73;{weight}">{Escape(row.Value)}</td></tr>
                    """);
        }

        page.Append("</table>");
    }

    private static void Open(StringBuilder page, string subject, string header, string language) => page.Append(
        $$"""
        <!DOCTYPE html>
        <html lang="{{language}}">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta name="supported-color-schemes" content="light dark">
        <title>{{subject}}</title>
        <style>
        @media (prefers-color-scheme: dark) {
          body, .page { background: #14191c !important; color: #e6ebee !important; }
          .card { background: #1d2428 !important; border-color: #2f7f99 #323c42 #323c42 !important; }
          .line { border-color: #323c42 !important; }
          .quiet { color: #a3b0b7 !important; }
          .button { background: #2f7f99 !important; }
        }
        </style>
        </head>
        <body style="margin:0;padding:0;background:#f2f5f6;color:#1c2529">
        <table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#f2f5f6"><tr><td align="center" style="padding:28px 12px">
        <table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;overflow-wrap:anywhere;word-break:break-word;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5;text-align:left">
        <tr><td style="padding:0 4px 14px;font-size:18px;font-weight:700">{{header}}</td></tr>
        <tr><td class="card" style="padding:28px 26px 12px;background:#ffffff;border:1px solid #e3e8eb;border-top:4px solid #1f4e5f;border-radius:8px">

        """);

    private static void Close(StringBuilder page, string footer) => page.Append(
        $"""
        </td></tr>
        <tr><td class="quiet" style="padding:16px 4px 0;font-size:13px;color:#5c6b73">{footer}</td></tr>
        </table>
        </td></tr></table>
        </body>
        </html>

        """);
}
