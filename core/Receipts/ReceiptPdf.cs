using System.Globalization;
using Jobs.Mail;
using PdfSharp;
using PdfSharp.Drawing;
using PdfSharp.Pdf;

namespace Jobs.Receipts;

/// <summary>A receipt on A4: as many pages as the order has items for, everything within the margins.</summary>
internal sealed class ReceiptPdf
{
    private const double Left = 56;
    private const double Middle = Left + 218;
    private const double Right = ReceiptPage.Width - Left;
    private const double Bottom = 770;
    private const double AmountWidth = 150;

    private static readonly XBrush Accent = Ink(31, 79, 94);
    private static readonly XBrush Dark = Ink(28, 38, 41);
    private static readonly XBrush Grey = Ink(92, 107, 115);
    private static readonly XBrush Rule = Ink(217, 224, 227);
    private static readonly XBrush Pale = Ink(242, 245, 245);
    private static readonly XBrush Amber = Ink(255, 242, 217);

    private static readonly Style Plain = new(10.5, Bold: false, Dark);
    private static readonly Style Strong = new(10.5, Bold: true, Dark);
    private static readonly Style Small = new(9, Bold: false, Grey);

    private readonly ReceiptDocument _receipt;
    private readonly PdfDocument _document;
    private readonly List<ReceiptPage> _pages = [];
    private double _y;

    private ReceiptPdf(ReceiptDocument receipt, PdfDocument document)
    {
        (_receipt, _document) = (receipt, document);
        _document.Info.Title = $"{receipt.Title} {receipt.Number}";
        _document.Info.Author = receipt.Issuer.Name;
        _document.Info.CreationDate = _document.Info.ModificationDate = receipt.IssuedAt;
        _document.Language = receipt.Language.Code();
        _document.ViewerPreferences.DisplayDocTitle = true;
        NewPage();
    }

    private ReceiptPage Page => _pages[^1];

    /// <summary>The same receipt gives the same bytes.</summary>
    public static byte[] Render(ReceiptDocument receipt)
    {
        using var document = new PdfDocument();
        var pdf = new ReceiptPdf(receipt, document);
        pdf.Issuer();
        pdf.Heading();
        pdf.Summary();
        pdf.Parties();
        pdf.Table();
        pdf.Reversal();
        pdf.Footers();
        pdf._pages.ForEach(page => page.Dispose());
        return SteadyPdf.Save(document);
    }

    private void Issuer()
    {
        _y = 58;
        Paragraph(_receipt.Issuer.Name, new Style(13, Bold: true, Accent), 17, lines: 2);
        foreach (var line in _receipt.Issuer.Address.Take(6))
        {
            Paragraph(line, Small, 12.5, lines: 1);
        }
    }

    private void Heading()
    {
        _y += 34;
        Page.Text(Left, _y, _receipt.Title, new Style(24, Bold: true, Dark));
        _y += 19;
        Whole($"{_receipt.NumberLabel} {_receipt.Number}", new Style(11, Bold: false, Grey));
    }

    private void Summary()
    {
        const double height = 70, first = Left + 18, third = Left + 362;
        _y += 20;
        Page.Box(Left, _y, Right - Left, height, Pale);
        Page.Box(Left, _y, 3, height, Accent);
        Page.Text(first, _y + 26, _receipt.PaidLabel, Small);
        Page.Text(first, _y + 49, _receipt.Amount, Fitted(_receipt.Amount, new Style(18, Bold: true, Accent), Middle - first - 12));
        Fact(Middle, _receipt.IssuedLabel, _receipt.IssuedOn, third - Middle - 8);
        Fact(third, _receipt.MethodLabel, _receipt.Method, Right - third - 8);
        _y += height;
    }

    private void Fact(double x, string label, string value, double width)
    {
        Page.Text(x, _y + 26, label, Small);
        foreach (var (line, i) in Page.Wrap(value, width, Strong, lines: 2).Select((line, i) => (line, i)))
        {
            Page.Text(x, _y + 43 + 13 * i, line, Strong);
        }
    }

    /// <summary>What is too wide gets smaller: no amount and no number is ever cut.</summary>
    private Style Fitted(string text, Style style, double width)
    {
        while (style.Size > 5 && Page.WidthOf(text, style) > width)
        {
            style = style with { Size = style.Size - 0.5 };
        }

        return style;
    }

    private void Parties()
    {
        _y += 32;
        var top = _y;
        Page.Text(Left, _y, _receipt.PayerLabel, Small);
        _y += 16;
        foreach (var (line, i) in _receipt.Payer.Select((line, i) => (line, i)))
        {
            Paragraph(line, i == 0 ? Strong : Plain, 14, lines: 3, width: Middle - Left - 12);
        }

        var bottom = _y;
        if (_receipt.Reference is { } reference)
        {
            _y = top;
            Page.Text(Middle, _y, _receipt.ReferenceLabel, Small);
            _y += 16;
            Paragraph(reference, Plain, 14, lines: 3, x: Middle);
        }

        _y = Math.Max(bottom, _y);
    }

    private void Table()
    {
        _y += 26;
        TableHead();
        foreach (var line in _receipt.Lines)
        {
            var width = Right - Left - (line.Amount.Length > 0 ? AmountWidth + 12 : 0);
            var style = line.Amount.Length > 0 ? Plain : ReceiptPage.Suited(line.Text, Strong);
            var texts = Page.Wrap(line.Text, width, style, lines: 3);
            var details = Page.Wrap(line.Detail, width, Small, lines: 2);
            Room(texts.Count * 14 + details.Count * 13 + 14);
            _y += 18;
            Amount(line.Amount, Plain);
            foreach (var text in texts)
            {
                Page.Text(Left, _y, text, style);
                _y += 14;
            }

            foreach (var detail in details)
            {
                Page.Text(Left, _y, detail, Small);
                _y += 13;
            }

            _y -= 5;
            Line(Rule);
        }

        Total();
    }

    private void TableHead()
    {
        Page.Text(Left, _y, _receipt.LinesLabel, Small);
        Page.RightAligned(Right, _y, _receipt.AmountLabel, Small);
        _y += 8;
        Line(Accent);
    }

    private void Total()
    {
        Room(60);
        _y += 22;
        Page.Text(Left, _y, _receipt.PaidLabel, Strong with { Size = 12 });
        Amount(_receipt.Amount, Strong with { Size = 12 });
        if (_receipt.Refunded is { } refunded)
        {
            _y += 19;
            Page.Text(Left, _y, _receipt.RefundedLabel, Plain);
            Amount(refunded, Plain);
        }
    }

    private void Reversal()
    {
        if (_receipt.Reversal is not { } reversal)
        {
            return;
        }

        var lines = Page.Wrap(reversal, Right - Left - 36, Strong, lines: 3);
        var height = 22 + 14 * lines.Count;
        Room(height + 24);
        _y += 24;
        Page.Box(Left, _y, Right - Left, height, Amber);
        _y += 7;
        foreach (var line in lines)
        {
            _y += 14;
            Page.Text(Left + 18, _y, line, Strong);
        }
    }

    private void Footers()
    {
        var issuer = string.Join(" · ", new[] { _receipt.Issuer.Name, _receipt.Issuer.Registration }.Where(part => !string.IsNullOrEmpty(part)));
        foreach (var (page, i) in _pages.Select((page, i) => (page, i)))
        {
            page.Box(Left, 786, Right - Left, 0.7, Rule);
            page.Text(Left, 801, _receipt.NotAnInvoice, Small with { Bold = true });
            foreach (var line in page.Wrap(issuer, Right - Left - 60, Small, lines: 1))
            {
                page.Text(Left, 814, line, Small);
            }

            if (_pages.Count > 1)
            {
                page.RightAligned(Right, 814, string.Create(CultureInfo.InvariantCulture, $"{i + 1} / {_pages.Count}"), Small);
            }
        }
    }

    private void Amount(string amount, Style style) => Page.RightAligned(Right, _y, amount, Fitted(amount, style, AmountWidth));

    private void Paragraph(string text, Style style, double leading, int lines, double x = Left, double width = 0)
    {
        style = ReceiptPage.Suited(text, style);
        foreach (var line in Page.Wrap(text, width > 0 ? width : Right - x, style, lines))
        {
            Page.Text(x, _y, line, style);
            _y += leading;
        }
    }

    private void Whole(string text, Style style) => Page.Text(Left, _y, text, Fitted(text, ReceiptPage.Suited(text, style), Right - Left));

    private void Line(XBrush ink) => Page.Box(Left, _y, Right - Left, 0.7, ink);

    /// <summary>What does not fit begins a page of its own, under the number again.</summary>
    private void Room(double height)
    {
        if (_y + height > Bottom)
        {
            NewPage();
            _y = 58;
            Whole($"{_receipt.Title} {_receipt.Number}", Strong);
            _y += 30;
            TableHead();
        }
    }

    private void NewPage()
    {
        var page = _document.AddPage();
        page.Size = PageSize.A4;
        _pages.Add(new ReceiptPage(XGraphics.FromPdfPage(page)));
        Page.Box(0, 0, ReceiptPage.Width, 6, Accent);
    }

    private static XSolidBrush Ink(int red, int green, int blue) => new(XColor.FromArgb(red, green, blue));
}
