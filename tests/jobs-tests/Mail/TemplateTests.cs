using FsCheck;
using FsCheck.Fluent;
using Jobs.Mail;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Mail;

/// <summary>What mails say, by kind and language, whatever their payload holds.</summary>
public sealed class TemplateTests(SharedWorld shared, PostgresFixture fixture) : IClassFixture<SharedWorld>
{
    private const string Everything =
        """
        {"subscription_id": 1, "payment_id": 7, "order_id": 8, "amount_minor": 123450, "currency": "eur", "plan_name": "Premium",
         "next_attempt_at": "2026-11-22T05:00:00Z", "grace_ends_at": "2026-11-23T23:30:00Z", "action_url": "https://example.test/pay/7?a=1&b=2",
         "type": "circus", "reduced_price": true, "start_date": "2026-11-20", "end_date": "2027-11-19", "membership_id": 3,
         "subject_type": "subscription", "ends_on": "2026-12-01", "days_left": 5, "auto_renew": true, "account_url": "https://example.test/renew",
         "stat_date": "2026-11-19", "anomalies": [{"kind": "total_visits", "value": 3, "expected": 31}, {"kind": "revenue_eur", "value": 0, "expected": 90000}],
         "count": 2, "payments": [{"id": 1, "payment_intent": "pi_1", "reason": "duplicate", "amount_minor": 500, "currency": "jpy"},
                                  {"id": 2, "payment_intent": null, "reason": "user_unknown", "amount_minor": null, "currency": null}],
         "mails": [{"id": 5, "kind": "payment_failed", "user_id": 1, "status": "unknown", "reason": null}], "reason": "billed_by_stripe",
         "actor": "Zoé", "since": "2026-11-20T05:00:00Z", "until": "2026-11-20T18:00:00Z", "ended_at": "2026-11-20T17:30:00.5Z", "ended_by": "Max",
         "end_reason": "2 successes in a row", "terminal": "Bar", "queue_id": 4, "client_reference": "3f6c",
         "job": "autopayment", "failures": 3, "error": "the key is wrong", "run_id": "0199a1ff-90be-7b7c-8113-6bc7d8e18522", "runbook": "job-failing.md"}
        """;

    public static TheoryData<string, string> KindsAndLocales()
    {
        var all = new TheoryData<string, string>();
        foreach (var file in MailTemplates.BuiltInNames.Where(f => !f.StartsWith("payment_receipt", StringComparison.Ordinal)))
        {
            all.Add(file.Split('.')[0], file.Split('.')[1]);
        }

        return all;
    }

    [Fact]
    public void Every_template_is_there_in_every_language_and_names_only_what_mails_of_its_kind_have()
    {
        var names = MailTemplates.BuiltInNames;
        Assert.Equal(MailValues.Known.Keys.SelectMany(k => new[] { $"{k}.en.txt", $"{k}.fr.txt", $"{k}.ru.txt" }).Order(), names.Order());
        var templates = new MailTemplates(TemplateScene.Some());
        Assert.All(names, file =>
        {
            var (template, _) = templates.Find(file.Split('.')[0], Languages.Of(file.Split('.')[1]))!.Value;
            Assert.Null(MailTemplates.Mistake(file, template));
        });
    }

    [Theory]
    [MemberData(nameof(KindsAndLocales))]
    public async Task Each_kind_is_written_out_in_each_language(string kind, string locale)
    {
        await using var scene = new TemplateScene(shared.World);
        // What renews by itself and what does not have templates of their own.
        var payload = kind == "membership_reminder" ? Everything.Replace("\"subscription\"", "\"membership\"", StringComparison.Ordinal) : Everything;
        var mail = await scene.ComposeAsync(kind == "membership_reminder" ? "renewal_reminder" : kind, payload, locale);

        TemplateScene.IsWhole(mail);
        TemplateScene.SaysTheSameTwice(mail);
        Assert.Contains($"<html lang=\"{locale}\">", mail.Html, StringComparison.Ordinal);
        Assert.Contains(kind switch { "staff" => "amount_minor", "stats_alert" => "900", "staff_unmatched_payments" => "500", _ => "" }, mail.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("payment_failed")]
    [InlineData("payment_action_required")]
    [InlineData("payment_method_required")]
    [InlineData("membership_granted")]
    public async Task A_line_without_its_value_is_left_out(string kind)
    {
        await using var scene = new TemplateScene(shared.World, ("ACCOUNT_URL", ""));
        foreach (var locale in new[] { "fr", "en", "ru" })
        {
            var mail = await scene.ComposeAsync(kind, "{}", locale);
            TemplateScene.IsWhole(mail);
            TemplateScene.SaysTheSameTwice(mail);
            Assert.DoesNotContain("href", mail.Html, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_failed_payment_reads_like_this()
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("payment_failed", Everything, "fr_FR");

        Assert.Equal("Votre paiement n’a pas abouti", mail.Subject);
        Assert.Equal(
            """
            Bonjour,

            Le paiement de 1 234,50 EUR pour votre abonnement Premium a été refusé par votre banque. Rien n’a été débité.

            Nous réessaierons le 22 novembre 2026 : vérifiez simplement que votre compte est approvisionné, ou changez de moyen de paiement d’ici là. Sans paiement, votre abonnement prendra fin le 24 novembre 2026.

            Gérer mon moyen de paiement : https://example.test/renew

            Une question ? Répondez simplement à ce message.

            -- 
            Atelier du Chapiteau
            12 rue des Lilas
            75020 Paris

            """,
            mail.Text.Replace('\u00A0', ' '));
    }

    [Fact]
    public async Task A_demand_of_the_bank_reads_like_this()
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("payment_action_required", Everything, "de");

        Assert.Equal("Your bank asks you to confirm a payment", mail.Subject);
        Assert.StartsWith(
            """
            Hello,

            To renew your Premium subscription, your bank wants you to confirm the payment of 1,234.50 EUR yourself. Nothing has been charged yet.

            Confirm the payment: https://example.test/pay/7?a=1&b=2

            Without it, your subscription ends on 24 November 2026.
            """,
            mail.Text.Replace('\u00A0', ' '), StringComparison.Ordinal);
        Assert.Contains("href=\"https://example.test/pay/7?a=1&amp;b=2\"", mail.Html, StringComparison.Ordinal);
        Assert.Contains(">Confirm the payment</a>", mail.Html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_terminal_that_gave_no_answer_reads_like_this()
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("staff_terminal_unknown", Everything, "en");

        Assert.Equal("Was the card charged? Payment 7", mail.Subject);
        foreach (var line in new[] { "Terminal: Bar", "Amount: 1,234.50 EUR", "SumUp’s foreign transaction id: 3f6c", "Sent: 20 November 2026, 06:00" })
        {
            Assert.Contains(line, mail.Text.Replace('\u00A0', ' '), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"automatic": false, "actor": "Zoé", "reason": "no network", "since": "2026-11-20T05:00:00Z", "until": "2026-11-20T17:00:00Z"}""",
        "Activated by Zoé.", "Reason: no network", "It ends by itself on 20 November 2026, 18:00.")]
    [InlineData("""{"automatic": true, "actor": "process-payment-queue", "reason": "3 failures in a row: 503", "since": "2026-11-20T05:00:00Z", "until": null}""",
        "Activated by itself,", "Reason: 3 failures in a row: 503", "also when the provider is back.")]
    public async Task The_fallback_mode_says_who_activated_it_why_and_how_it_ends(string payload, params string[] said)
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("staff_fallback_on", payload, "en");
        TemplateScene.IsWhole(mail);
        Assert.All(said, text => Assert.Contains(text, mail.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_sentence_that_ends_with_a_russian_date_has_one_point()
    {
        await using var scene = new TemplateScene(shared.World);
        Assert.Contains(
            "Без оплаты подписка закончится 24 ноября 2026 г.\n", (await scene.ComposeAsync("payment_failed", Everything, "ru-RU")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_charge_that_had_to_wait_for_its_notice_is_announced_for_its_own_day()
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("renewal_reminder", """{"subject_type": "subscription", "plan_name": "", "plan_code": "P", "ends_on": "2026-11-19", "charge_on": "2026-11-27"}""", "en");
        Assert.Equal("Your P subscription renews on 27 November 2026", mail.Subject);
        Assert.DoesNotContain("19 November", mail.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("subscription", "Votre abonnement Premium sera renouvelé le 1er décembre 2026")]
    [InlineData("membership", "Votre adhésion se termine le 1er décembre 2026")]
    public async Task A_reminder_says_whether_something_renews_by_itself(string subject, string line)
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("renewal_reminder", Everything.Replace("\"subscription\"", $"\"{subject}\"", StringComparison.Ordinal));
        Assert.Equal(line, mail.Subject);
    }

    [Fact]
    public async Task What_autopayment_tells_people_can_be_written_out()
    {
        await using var world = await fixture.WorldAsync();
        foreach (var behaviour in new[] { "success", "insufficient_funds", "authentication_required", "lost_card" })
        {
            await world.DueAsync(behaviour, behaviour);
        }

        (await world.AutopaymentAsync(Morning)).Done();
        await using var scene = new TemplateScene(world);
        var mails = await scene.ComposeAllAsync(world);

        Assert.Equal(
            ["payment_action_required", "payment_failed", "payment_method_required", "payment_receipt"], mails.Select(m => m.Kind).Distinct().Order());
        Assert.All(mails, m =>
        {
            TemplateScene.IsWhole(m.Mail);
            TemplateScene.SaysTheSameTwice(m.Mail);
            Assert.Contains("10", m.Mail.Text, StringComparison.Ordinal);
            Assert.Contains("monthly", m.Mail.Text, StringComparison.Ordinal);
            Assert.Equal(m.Kind == "payment_receipt", m.Mail.Attachments.Count == 1);
        });
        Assert.Contains(mails, m => m.Mail.Html.Contains("href=\"https://example.test/pay/", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("payment_failed", """{"amount_minor": "12", "currency": "eur"}""", "payment_failed: 'amount_minor' must be a whole number, not \"12\"")]
    [InlineData("payment_failed", """{"amount_minor": 12.5, "currency": "eur"}""", "payment_failed: 'amount_minor' must be a whole number, not 12.5")]
    [InlineData("payment_failed", """{"amount_minor": 12, "currency": "xxx"}""", "payment_failed: 'xxx' is not a currency known here")]
    [InlineData("payment_failed", """{"grace_ends_at": "soon"}""", "payment_failed: 'grace_ends_at' must be a date such as 2026-11-20 or an instant such as 2026-11-20T06:00:00Z, not \"soon\"")]
    [InlineData("payment_failed", """{"grace_ends_at": "9999-12-31T23:59:59Z"}""", "payment_failed: 'grace_ends_at' must be a date such as 2026-11-20 or an instant such as 2026-11-20T06:00:00Z, not \"9999-12-31T23:59:59Z\"")]
    [InlineData("payment_action_required", """{"action_url": "javascript:alert(1)"}""", "payment_action_required: 'javascript:alert(1)' is not a link that starts with https:// or http://")]
    [InlineData("payment_action_required", """{"action_url": ["x"]}""", "payment_action_required: 'action_url' must be a text, not [\"x\"]")]
    [InlineData("membership_granted", """{"type": "basic", "reduced_price": "yes"}""", "membership_granted: 'reduced_price' must be true or false, not \"yes\"")]
    [InlineData("renewal_reminder", "{}", "renewal_reminder: the payload lacks what the subject names (plan, renews_on, ends_on)")]
    [InlineData("stats_alert", """{"stat_date": "2026-11-20", "anomalies": 3}""", "stats_alert: 'anomalies' must be a list, not 3")]
    [InlineData("staff_unmatched_payments", """{"count": 1, "payments": [1]}""", "staff_unmatched_payments: 'payments' must be a list of objects, not 1")]
    [InlineData("payment_receipt", "{}", "payment_receipt: the payload lacks payment_id")]
    [InlineData("payment_receipt", """{"payment_id": 987654}""", "payment_receipt: payment 987654 has no receipt")]
    [InlineData("payment_failed", "[]", "payment_failed: the payload is not a JSON object")]
    [InlineData("payment_failed", "{", "payment_failed: the payload is not a JSON object")]
    [InlineData("newsletter", "{}", "there is no template for the kind 'newsletter'")]
    [InlineData("../../etc/passwd\n", "{}", "there is no template for the kind '../../etc/passwd'")]
    public async Task What_cannot_be_written_out_is_said_in_a_sentence(string kind, string payload, string sentence)
    {
        await using var scene = new TemplateScene(shared.World);
        var user = await shared.World.ScalarAsync<long>("INSERT INTO users (name) VALUES ('Ada') RETURNING id");
        Assert.Equal(sentence, await scene.RefusalAsync(kind, payload, "en", user));
    }

    [Fact]
    public async Task Staff_are_told_of_kinds_without_words_too_and_in_their_own_language()
    {
        await using var scene = new TemplateScene(shared.World, ("STAFF_LOCALE", "en"));
        var mail = await scene.ComposeAsync("staff_newcomer", """{"notification_id": 12, "payment_id": "pi_1", "more": {"a": [1]}}""");

        TemplateScene.IsWhole(mail);
        Assert.Equal("For the team: staff_newcomer", mail.Subject);
        Assert.Contains("notification_id: 12\npayment_id: pi_1\nmore: {\"a\": [1]}\n", mail.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Staff_are_told_whose_payment_it_is()
    {
        await using var scene = new TemplateScene(shared.World);
        var payment = await TemplateScene.ReceiptAsync(shared.World, "Ada <b>\r\nLovelace");
        var mail = await scene.ComposeAsync("staff_refund_due", $$"""{"order_id": 5, "payment_id": {{payment}}}""", "en");

        Assert.Contains("Customer: Ada <b> Lovelace (payer@example.test).", mail.Text, StringComparison.Ordinal);
        Assert.Contains($"To be refunded: 10.00\u00A0EUR (payment {payment}).", mail.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mail_that_an_application_wrote_stays_as_it_is()
    {
        await using var scene = new TemplateScene(shared.World);
        var mail = await scene.ComposeAsync("any", """{"subject": "Hi\r\nBcc: eve@example.test", "text": "First <b>\nsecond\n\nThird & last {name} || x"}""", "en");

        Assert.Equal("Hi Bcc: eve@example.test", mail.Subject);
        Assert.Equal("First <b>\nsecond\n\nThird & last {name} || x", mail.Text);
        Assert.Contains(">First &lt;b&gt;<br>second</p>", mail.Html, StringComparison.Ordinal);
        Assert.Contains(">Third &amp; last {name} || x</p>", mail.Html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_operators_own_template_takes_the_place_of_ours()
    {
        using var folder = new TemplateFolder(
            ("payment_failed.fr.txt", "Aïe, {amount}\n\nCher {name},\n\nVoir : {account_url}\n"), ("welcome.en.txt", "Welcome, {nick}\n\nYour code is {code}.\n\nStart: {start_url}"));
        await using var scene = new TemplateScene(shared.World, ("MAIL_TEMPLATES_DIR", folder.Path));
        var failed = await scene.ComposeAsync("payment_failed", Everything);
        var welcome = await scene.ComposeAsync("welcome", """{"nick": "Ada\n{code}", "code": 42, "start_url": "https://example.test/"}""", "ru");

        Assert.Equal("Aïe, 1\u00A0234,50\u00A0EUR", failed.Subject);
        Assert.StartsWith("Voir\u00A0: https://example.test/renew\n", failed.Text, StringComparison.Ordinal);
        Assert.Equal("Your payment did not go through", (await scene.ComposeAsync("payment_failed", Everything, "en")).Subject);
        Assert.Equal("Welcome, Ada {code}", welcome.Subject);
        Assert.StartsWith("Your code is 42.\n\nStart: https://example.test/\n", welcome.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("payment_failed.fr.txt", "Échec\n\n{amout} refusé", "names {amout}, which mails of this kind do not have; did you mean {amount}?")]
    [InlineData("payment_failed.fr.txt", "Échec\n\n{Amount} refusé", "has a brace that belongs to no {placeholder} in the line '{Amount} refusé'")]
    [InlineData("payment_failed.fr.txt", "\n\nrefusé", "needs a subject on its first line and then at least one paragraph")]
    [InlineData("payment_failed.de.txt", "x\n\ny", "must be named as its kind and language are, such as payment_failed.fr.txt (fr, en or ru)")]
    public void A_mistake_in_it_is_one_sentence(string file, string text, string mistake)
    {
        using var folder = new TemplateFolder((file, text));
        var e = Assert.Throws<OperatorException>(() => new MailTemplates(TemplateScene.Some(("MAIL_TEMPLATES_DIR", folder.Path))));
        Assert.Equal($"the template {Path.Combine(folder.Path, file)} {mistake}", e.Message);
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named() => Assert.StartsWith(
        "MAIL_TEMPLATES_DIR cannot be read: ",
        Assert.Throws<OperatorException>(() => new MailTemplates(TemplateScene.Some(("MAIL_TEMPLATES_DIR", "/nowhere/at/all")))).Message,
        StringComparison.Ordinal);

    // A script picks the kind, the locale, and for each member of the payload what it holds.
    private static readonly string[] Members =
    [
        "amount_minor", "currency", "plan_name", "next_attempt_at", "grace_ends_at", "action_url", "account_url", "type", "reduced_price", "start_date",
        "end_date", "subject_type", "ends_on", "auto_renew", "stat_date", "anomalies", "count", "payments", "mails", "charge_on", "reason", "order_id",
    ];

    private static readonly string[] Scraps =
    [
        "null", "1", "-1", "1e999", "12.5", "true", "[]", "{}", "\"\"", "\"eur\"", "\"2026-02-30\"", "\"2026-11-20\"", "\"0001-01-01T00:00:00Z\"",
        "\"<script>alert('x')</script>\"", "\"a\\r\\nBcc: eve@example.test\\r\\n\\r\\n\"", "\"\\u202Eevil\\u0000\\u2028\"", "\"\\ud800\"",
        "\"https://example.test/\\\"onmouseover=x\"", "\"https://example.test/\\u202Ea\"", "\"<!--\"", "[{\"kind\": \"\\n\", \"value\": \"<td>\"}, {\"reason\": 5}]",
        "[{\"payment_intent\": \"</table>\", \"reason\": \"&amp;\"}]", "9223372036854775807", "\"שלום\"", "\"membership\"", $"\"{new string('W', 10_000)}\"",
    ];

    [Fact]
    public async Task Whatever_a_payload_holds_the_mail_is_whole_or_refused_in_one_sentence()
    {
        await using var scene = new TemplateScene(shared.World);
        var kinds = MailValues.Known.Keys.Where(k => k != "payment_receipt").Append("whatever").ToArray();
        var scripts = Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf(2 + Members.Length));
        var config = Config.QuickThrowOnFailure.WithMaxTest(1500).WithQuietOnSuccess(true);
        await Task.Run(() => Check.One(config, Prop.ForAll(scripts, script => HoldsAsync(scene, kinds, script))));
    }

    private static async Task HoldsAsync(TemplateScene scene, string[] kinds, int[] script)
    {
        var members = Members.Where((_, i) => script[i + 2] % 3 > 0).Select(m => $"\"{m}\": {Scraps[script[Array.IndexOf(Members, m) + 2] % Scraps.Length]}");
        try
        {
            TemplateScene.IsWhole(await scene.ComposeAsync(kinds[script[0] % kinds.Length], $"{{{string.Join(", ", members)}}}", script[1] % 2 == 0 ? "ru" : "en"));
        }
        catch (MailTemplateException e)
        {
            Assert.DoesNotContain(e.Message, char.IsControl);
            Assert.True(e.Message.Length < 400, e.Message);
        }
    }

    private sealed class TemplateFolder : IDisposable
    {
        public TemplateFolder(params (string File, string Text)[] files)
        {
            foreach (var (file, text) in files)
            {
                File.WriteAllText(System.IO.Path.Combine(Path, file), text);
            }
        }

        public string Path { get; } = Directory.CreateTempSubdirectory("templates-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
