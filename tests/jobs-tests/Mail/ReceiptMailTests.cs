using System.Text;
using Jobs.Mail;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>The mail with the receipt, from the rows that the jobs and the shop write.</summary>
public sealed class ReceiptMailTests(SharedWorld shared) : IClassFixture<SharedWorld>
{
    private JobWorld World => shared.World;

    [Fact]
    public async Task A_membership_paid_in_cash_reads_like_this()
    {
        await using var scene = new TemplateScene(World);
        var payment = await TemplateScene.ReceiptAsync(World, "Ada", 700, "purpose, membership_type, reference", "'membership', 'circus', 'Cahier 12'");
        await World.ExecuteAsync(
            """
            WITH m AS (
                INSERT INTO memberships (user_id, type, start_date, end_date, reduced_price)
                SELECT user_id, 'circus', '2026-11-01', '2027-10-31', true FROM payments WHERE id = @payment RETURNING id)
            UPDATE payments SET membership_id = m.id FROM m WHERE payments.id = @payment
            """,
            new { payment });
        var number = await World.ScalarAsync<string>("SELECT number FROM receipts WHERE payment_id = @payment", new { payment });

        var mail = await scene.ComposeAsync("payment_receipt", TemplateScene.Payload(payment));

        Assert.Equal($"Votre reçu de paiement {number}", mail.Subject);
        Assert.Equal(
            $"""
            Bonjour Ada,

            Merci ! Nous avons bien reçu votre paiement de 7,00 EUR.

            Reçu de paiement : {number}
            Date : 21 novembre 2026
            Payé par : Ada, payer@example.test
            Adhésion cirque (tarif réduit) (1er novembre 2026 – 31 octobre 2027) : 7,00 EUR
            Montant payé : 7,00 EUR
            Moyen de paiement : Espèces
            Référence : Cahier 12
            Ce document est un reçu de paiement. Ce n’est pas une facture.

            Vous trouverez ce reçu en pièce jointe, au format PDF (receipt-{number}.pdf).

            -- 
            Atelier du Chapiteau
            12 rue des Lilas
            75020 Paris

            """,
            mail.Text.Replace('\u00A0', ' '));
        TemplateScene.IsWhole(mail);
        TemplateScene.SaysTheSameTwice(mail);
        var pdf = Assert.Single(mail.Attachments);
        Assert.Equal(($"receipt-{number}.pdf", "application/pdf"), (pdf.FileName, pdf.MediaType));
        var words = PdfReader.Read(pdf.Content.ToArray()).Words();
        Assert.All(
            ["Reçu de paiement", $"Numéro {number}", "Adhésion cirque (tarif réduit)", "1er novembre 2026 – 31 octobre 2027", "7,00 EUR", "Espèces", "Cahier 12"],
            word => Assert.Contains(word, words, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_order_lists_what_was_bought_even_what_is_gone()
    {
        await using var scene = new TemplateScene(World);
        var payment = await TemplateScene.ReceiptAsync(World, "", 3000);
        var product = await World.ScalarAsync<long>("INSERT INTO products (sku, name) VALUES ('P1', E'Poster <i>\\n\"big\"') RETURNING id");
        var order = await World.ScalarAsync<long>(
            "INSERT INTO orders (user_id, status, total_minor) SELECT user_id, 'paid', 3000 FROM payments WHERE id = @payment RETURNING id", new { payment });
        await World.ExecuteAsync(
            """
            INSERT INTO order_items (order_id, product_id, quantity, unit_amount_minor) VALUES (@order, @product, 2, 1250), (@order, -5, 1, 500);
            UPDATE payments SET order_id = @order, purpose = 'order', method = 'card', provider_payment_id = 'pi_order' WHERE id = @payment
            """,
            new { payment, order, product });

        var mail = await scene.ComposeAsync("payment_receipt", TemplateScene.Payload(payment), "en");

        Assert.Contains(
            $"Order no. {order}\nPoster <i> \"big\" (2 × 12.50 EUR): 25.00 EUR\n#-5: 5.00 EUR\nAmount paid: 30.00 EUR\nPayment method: Card\nReference: pi_order\n",
            mail.Text.Replace('\u00A0', ' '), StringComparison.Ordinal);
        Assert.StartsWith("Hello,\n", mail.Text, StringComparison.Ordinal);
        Assert.Contains("Poster &lt;i&gt; &quot;big&quot;", mail.Html, StringComparison.Ordinal);
        TemplateScene.IsWhole(mail);
    }

    [Fact]
    public async Task What_was_refunded_since_is_said()
    {
        await using var scene = new TemplateScene(World);
        var payment = await TemplateScene.ReceiptAsync(World, "Ada", 1000, "amount_refunded_minor", "250");

        var mail = await scene.ComposeAsync("payment_receipt", TemplateScene.Payload(payment), "ru");

        Assert.Contains("Возвращено: -2,50 EUR\n", mail.Text.Replace('\u00A0', ' '), StringComparison.Ordinal);
        Assert.Contains("Этот платёж возвращён частично.", mail.Html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_is_sent_the_receipt_of_somebody_else()
    {
        await using var scene = new TemplateScene(World);
        var payment = await TemplateScene.ReceiptAsync(World, "Ada");
        var owner = await World.ScalarAsync<long>("SELECT user_id FROM payments WHERE id = @payment", new { payment });

        Assert.Single((await scene.ComposeAsync("payment_receipt", TemplateScene.Payload(payment), user: owner)).Attachments);
        Assert.Equal(
            $"payment_receipt: payment {payment} has no receipt of user {owner + 1}",
            await scene.RefusalAsync("payment_receipt", TemplateScene.Payload(payment), user: owner + 1));
    }

    [Fact]
    public async Task A_currency_that_is_unknown_here_is_a_refusal()
    {
        await using var scene = new TemplateScene(World);
        var payment = await TemplateScene.ReceiptAsync(World, "Ada", 1000, "currency", "'xxx'");
        Assert.Contains("'xxx' is not a currency known here", await scene.RefusalAsync("payment_receipt", TemplateScene.Payload(payment)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Ada\r\nBcc: eve@example.test\r\n\r\n<script>alert(1)</script>")]
    [InlineData("</title></head><!-- \u202Eevil\u2066 {name} || {amount}")]
    [InlineData("שלום עולם مرحبا 漢字 👩‍🔧")]
    [InlineData("")]
    [InlineData("10 kB")]
    public async Task Whatever_a_payer_is_called_the_mail_and_its_receipt_are_whole(string name)
    {
        await using var scene = new TemplateScene(World);
        var payment = await TemplateScene.ReceiptAsync(World, name == "10 kB" ? new StringBuilder().Insert(0, "WŴЖ\n", 2500).ToString() : name);
        foreach (var locale in new[] { "fr", "en", "ru" })
        {
            var mail = await scene.ComposeAsync("payment_receipt", TemplateScene.Payload(payment), locale);
            if (!name.Contains("{name}", StringComparison.Ordinal))
            {
                TemplateScene.IsWhole(mail);
            }

            Assert.DoesNotContain("<script", mail.Html, StringComparison.Ordinal);
            Assert.True(mail.Text.Length < 2000);
            Assert.NotEmpty(PdfReader.Read(Assert.Single(mail.Attachments).Content.ToArray()));
        }
    }

    [Fact]
    public async Task Without_its_PDF_the_mail_goes_out_all_the_same_and_the_log_says_why()
    {
        await using var scene = new TemplateScene(World);
        var log = new Lines();
        var payment = await TemplateScene.ReceiptAsync(World, "Ada\nLovelace");
        var notification = new Notification { Id = 5, Kind = "payment_receipt", Locale = "en", Payload = TemplateScene.Payload(payment) };

        var mail = await scene.With(_ => throw new InvalidOperationException("no ink"), log).ComposeAsync(notification, CancellationToken.None);

        Assert.Empty(mail.Attachments);
        Assert.Contains("Amount paid: 10.00\u00A0EUR\n", mail.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("attached", mail.Text, StringComparison.Ordinal);
        var number = await World.ScalarAsync<string>("SELECT number FROM receipts WHERE payment_id = @payment", new { payment });
        Assert.Equal([$"Error: Receipt {number} goes out without its PDF (notification 5): no ink"], log);
    }

    private sealed class Lines : List<string>, ILogger<MailComposer>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Add($"{logLevel}: {formatter(state, exception)}: {exception?.Message}");
    }

    [Fact]
    public async Task Many_at_once_get_the_same()
    {
        await using var scene = new TemplateScene(World);
        var payments = new List<long>();
        for (var i = 0; i < 5; i++)
        {
            payments.Add(await TemplateScene.ReceiptAsync(World, $"user {i}"));
        }

        var mails = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(
            () => scene.ComposeAsync("payment_receipt", TemplateScene.Payload(payments[i % 5]), i % 2 == 0 ? "fr" : "ru"))));

        foreach (var same in mails.Select((mail, i) => (mail, Key: i % 10)).GroupBy(m => m.Key, m => m.mail))
        {
            Assert.Single(same.Select(m => m.Subject + m.Text + m.Html + Convert.ToHexString(m.Attachments[0].Content)).Distinct());
        }

        Assert.Equal(10, mails.Select(m => m.Text).Distinct().Count());
    }
}
