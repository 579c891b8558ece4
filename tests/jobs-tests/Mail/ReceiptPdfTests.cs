using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Jobs.Mail;
using Jobs.Receipts;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>The PDF of a receipt, read back: every word extractable, within the page, the same bytes each time.</summary>
public sealed class ReceiptPdfTests
{
    [Theory]
    [InlineData(Language.French, "Reçu de paiement", "Ce document est un reçu de paiement. Ce n’est pas une facture.", "1 234,50 EUR", "21 novembre 2026", "Carte bancaire", "Abonnement Premium", "21 novembre 2026 – 21 décembre 2026")]
    [InlineData(Language.English, "Payment receipt", "This document is a payment receipt. It is not an invoice.", "1,234.50 EUR", "21 November 2026", "Card", "Premium subscription", "21 November 2026 – 21 December 2026")]
    [InlineData(Language.Russian, "Квитанция об оплате", "Этот документ является квитанцией об оплате. Это не счёт-фактура.", "1 234,50 EUR", "21 ноября 2026 г.", "Банковская карта", "Подписка Premium", "21 ноября 2026 г. – 21 декабря 2026 г.")]
    public void It_says_what_it_is_who_paid_what_and_how(Language language, params string[] words)
    {
        var texts = ReceiptScene.Subscription(anchor: 21).In(language).Read();

        Assert.Empty(words.Except(texts.Select(t => t.Text)));
        foreach (var word in new[] { "2026-000123", "Ada Lovelace", "ada@example.test", "pi_3Q9XkLJ2eZvKYlo2", "Atelier du Chapiteau", "12 rue des Lilas", "SIRET 123" })
        {
            Assert.Contains(word, texts.Words(), StringComparison.Ordinal);
        }

        AllWithin(texts);
    }

    [Fact]
    public void The_same_receipt_gives_the_same_bytes()
    {
        var all = Enumerable.Range(0, 3).Select(_ => ReceiptPdf.Render(ReceiptScene.Order(40).In(Language.Russian))).ToList();
        Assert.Equal(all[0], all[1]);
        Assert.Equal(all[0], all[2]);
        Assert.NotEqual(all[0], ReceiptPdf.Render(ReceiptScene.Order(41).In(Language.Russian)));
    }

    [Fact]
    public void Its_properties_name_title_business_language_and_the_time_of_issue()
    {
        var file = PdfReader.Plain(ReceiptPdf.Render(ReceiptScene.Order(1).In(Language.English, "Smith & Sons <b>")));

        Assert.Contains("/Title(Payment receipt 2026-000124)/Author(Smith & Sons <b>)", file, StringComparison.Ordinal);
        Assert.Contains("/CreationDate(D:20261120060000+00'00')", file, StringComparison.Ordinal);
        Assert.Contains("/ModDate(D:20261120060000+00'00')", file, StringComparison.Ordinal);
        Assert.Contains("/Lang(en)", file, StringComparison.Ordinal);
        Assert.Contains("/DisplayDocTitle true", file, StringComparison.Ordinal);
        // PDFsharp's second copy of the properties would not be well-formed XML.
        Assert.DoesNotContain("Metadata", Encoding.Latin1.GetString(ReceiptPdf.Render(ReceiptScene.Order(1).In(Language.English))), StringComparison.Ordinal);
    }

    [Fact]
    public void The_fonts_of_different_receipts_differ_in_name()
    {
        var names = new[] { "Ada", "Bob" }.Select(name => PdfReader.Plain(ReceiptPdf.Render(ReceiptScene.Subscription(name: name).In(Language.English))))
            .Select(file => Regex.Matches(file, @"/(?:BaseFont|FontName)/([A-Z]{6})\+DejaVu").Select(m => m.Groups[1].Value).Distinct().Single());

        Assert.Equal(2, names.Distinct().Count());
    }

    [Theory]
    [InlineData(Language.French)]
    [InlineData(Language.English)]
    [InlineData(Language.Russian)]
    public void It_is_small_enough_for_a_mail(Language language) =>
        Assert.InRange(ReceiptPdf.Render(ReceiptScene.Subscription(status: "disputed").In(language)).Length, 10_000, 20_000);

    /// <summary>Reading it back fails where a glyph lacks one of its parts.</summary>
    [Fact]
    public void Every_character_of_the_fonts_is_drawn_whole()
    {
        var characters = Enumerable.Range(0x20, 0x3000).Concat(Enumerable.Range(0xFB00, 0x500)).Select(c => (char)c).Where(c => !char.IsSurrogate(c));
        Assert.All(characters.Chunk(50), some =>
        {
            var name = new string(some);
            Assert.NotEmpty(ReceiptScene.Subscription(name: name).In(Language.English, name).Read());
            Assert.NotEmpty(ReceiptScene.Order(1, name).In(Language.English, "x").Read());
        });
        // The bold face alone is left out where it lacks one of the characters; these it has.
        Assert.All("ёЁїўšễồựǻ₫", c => Assert.Contains(c.ToString(), ReceiptScene.Subscription(name: c.ToString()).In(Language.English).Read().Words(), StringComparison.Ordinal));
    }

    [Fact]
    public void Many_threads_make_the_same_bytes_at_once()
    {
        var receipts = Enumerable.Range(1, 8).Select(i => ReceiptScene.Order(i, "Афиша").In((Language)(i % 3))).ToList();
        var expected = receipts.Select(ReceiptPdf.Render).ToList();
        Parallel.For(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => Assert.Equal(expected[i % 8], ReceiptPdf.Render(receipts[i % 8])));
    }

    [Fact]
    public void An_order_lists_its_items_on_as_many_pages_as_it_takes()
    {
        var texts = ReceiptScene.Order(250).In(Language.French).Read();

        Assert.Equal(1 + 100, texts.Count(t => t.Text.StartsWith("Poster ", StringComparison.Ordinal)) + texts.Count(t => t.Text == "Commande n° 47"));
        Assert.Contains(texts, t => t.Text == "Autres articles (150)");
        Assert.Contains(texts, t => t.Text == "750,00 EUR");
        Assert.Contains(texts, t => t.Text == "1 250,00 EUR");
        var pages = texts.Max(t => t.Page) + 1;
        Assert.Equal(Enumerable.Range(1, pages).Select(p => $"{p} / {pages}"), texts.Where(t => t.Text.EndsWith($" / {pages}", StringComparison.Ordinal)).Select(t => t.Text));
        Assert.Equal(pages, texts.Count(t => t.Text == "Ce document est un reçu de paiement. Ce n’est pas une facture."));
        AllWithin(texts);
    }

    [Theory]
    [InlineData("refunded", 123450, "This payment was refunded in full.", "-1,234.50 EUR")]
    [InlineData("succeeded", 100, "This payment was refunded in part.", "-1.00 EUR")]
    [InlineData("disputed", 0, "This payment was disputed at the payer’s bank.", "1,234.50 EUR")]
    public void Money_that_went_back_is_on_it(string status, long refunded, string sentence, string amount)
    {
        var words = ReceiptScene.Subscription(status: status, refunded: refunded).In(Language.English).Read();
        Assert.Contains(words, t => t.Text == sentence);
        Assert.Contains(words, t => t.Text == amount);
        Assert.DoesNotContain(ReceiptScene.Subscription().In(Language.English).Read(), t => t.Text.StartsWith("This payment", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Ада Лавлейс", "Ада Лавлейс")]
    [InlineData("Nguyễn Thị Hồng Ánh, Łódź, Ωμέγα, Հայ, ქარ", "Nguyễn Thị Hồng Ánh, Łódź, Ωμέγα, Հայ, ქარ")]
    // In the order in which they are seen: from right to left, digits apart.
    [InlineData("Dr. שלום (עולם 12)", "Dr. 12 םלוע) םולש)")]
    [InlineData("محمد", "دمحم")]
    [InlineData("漢字 😀", "\uFFFD\uFFFD \uFFFD")]
    [InlineData("a\u200Db\u0007c", "ab c")]
    public void What_the_fonts_have_is_shown_and_what_they_lack_is_replaced_for_all_to_see(string name, string shown) =>
        Assert.Contains(shown, ReceiptScene.Subscription(name: name).In(Language.English).Read().Words().Replace('\n', ' '), StringComparison.Ordinal);

    [Theory]
    [InlineData(long.MaxValue, "eur")]
    [InlineData(long.MaxValue, "jpy")]
    [InlineData(0, "kwd")]
    public void Amounts_are_never_cut(long amount, string currency)
    {
        var texts = ReceiptScene.Subscription(amount: amount, currency: currency).In(Language.French).Read();
        Assert.Equal(3, texts.Count(t => t.Text == MoneyText.Of(amount, currency, Language.French).Replace('\u00A0', ' ')));
        AllWithin(texts);
    }

    private static readonly string[] Scraps =
    [
        "Ada", " ", "\r\n", "\u0000", "\u202E", "<script>", ") Tj ET", "(", "\\", "%", "endstream", "שלום", "مرحبا", "12", "(", "]", "漢", "😀", "\uD83D", "\uDE00", "é", "e\u0301",
        "\u00A0", "\u3000", "\uFFFF", "ﷺ", "Ж", new string('W', 300), new string('́', 50), new string('ש', 120), new string(' ', 80), "a b ",
    ];

    [Fact]
    public void Whatever_is_in_a_name_nothing_runs_off_the_page()
    {
        var scripts = Arb.From(Gen.Choose(0, Scraps.Length - 1).ArrayOf(12));
        var config = Config.QuickThrowOnFailure.WithMaxTest(400).WithQuietOnSuccess(true);
        Check.One(config, Prop.ForAll(scripts, script =>
        {
            string Text(int from) => string.Concat(script.Skip(from).Select(i => Scraps[i]));
            var receipt = ReceiptScene.Subscription(name: Text(0), email: Text(3), plan: Text(6), number: Text(9)).In((Language)(script[0] % 3), OneLine.Of(Text(4)));
            AllWithin(receipt.Read());
            AllWithin(ReceiptScene.Order(3, Text(5)).In(Language.French).Read());
            TemplateScene.IsWhole(Mail(receipt));
        }));
    }

    private static MailContent Mail(ReceiptDocument receipt)
    {
        MailBlock[] blocks = [new MailBlock.Table(receipt.Rows())];
        return new MailContent("x", MailLayout.Text(blocks, receipt.Issuer, receipt.Language), MailLayout.Html("x", blocks, receipt.Issuer, receipt.Language), []);
    }

    [Theory]
    [InlineData("2026-01-31", "month", 1, 31, "31 January 2026 – 28 February 2026")]
    [InlineData("2026-02-28", "month", 1, 31, "28 February 2026 – 31 March 2026")]
    // The anchor of a later period is not this one's.
    [InlineData("2026-02-10", "month", 1, 31, "10 February 2026 – 10 March 2026")]
    [InlineData("2028-02-29", "year", 1, 29, "29 February 2028 – 28 February 2029")]
    [InlineData("2026-03-28", "day", 2, 28, "28 March 2026 – 30 March 2026")]
    [InlineData("2026-11-20", "week", 2, 20, "20 November 2026 – 4 December 2026")]
    [InlineData("2026-11-20", "year", 1200, 20, "20 November 2026 – 20 November 3226")]
    [InlineData("8500-01-01", "year", 1200, 1, "1 January 8500")]
    public void A_period_ends_where_the_next_one_starts(string start, string unit, int count, int anchor, string period) =>
        Assert.Equal(
            period,
            ReceiptScene.Subscription(start: DateOnly.Parse(start, System.Globalization.CultureInfo.InvariantCulture), unit: unit, count: count, anchor: anchor)
                .In(Language.English).Lines[0].Detail);

    private static void AllWithin(List<PdfText> texts) =>
        Assert.All(texts, t =>
        {
            Assert.InRange(t.X, 55.9m, 540);
            Assert.InRange(t.X + t.Width, 55.9m, 595 - 55.4m);
            Assert.InRange(t.Y, 20, 800);
        });
}
