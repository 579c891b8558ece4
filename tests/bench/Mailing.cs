using System.Globalization;
using System.Text.Json;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>send-notifications against a mail server on this machine that keeps nothing.</summary>
internal static class Mailing
{
    private const double MostSeconds = 60;
    private const double MostMiB = 96;

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int mails)
    {
        var results = new List<Result>();
        foreach (var (what, fill) in new[]
        {
            ("text and HTML", Texts(mails, characters: 1_000)), ("45 kB each", Texts(mails, characters: 20_000)), ("receipts with PDF", Receipts(mails)),
        })
        {
            Progress.Say($"send-notifications: {mails:N0} mails, {what}");
            results.AddRange(await MeasureAsync(ground, mails, what, fill));
        }

        return results;
    }

    private static string Texts(int mails, int characters) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO notifications (kind, to_address, payload)
        SELECT 'receipt', 'u' || n || '@example.test', jsonb_build_object('subject', 'Votre reçu n° ' || n, 'text', repeat('Merci de votre paiement. ', {characters} / 25))
        FROM generate_series(1, {mails}) AS n
        """);

    private static string Receipts(int mails) => string.Create(CultureInfo.InvariantCulture,
        $$"""
        INSERT INTO plans (code, name, amount_minor) VALUES ('monthly', 'Mensuel', 1500);
        INSERT INTO users (email, name, locale)
        SELECT 'u' || n || '@example.test', 'Zoé Łukasz ' || n, ('{fr,en,ru}'::text[])[1 + n % 3] FROM generate_series(1, {{mails}}) AS n;
        INSERT INTO subscriptions (user_id, plan_id, status, anchor_day) SELECT n, 1, 'active', 20 FROM generate_series(1, {{mails}}) AS n;
        INSERT INTO payments (user_id, subscription_id, purpose, amount_minor, status, provider, provider_payment_id, period_start)
        SELECT n, n, 'subscription', 1500, 'succeeded', 'stripe', 'pi_3Q9XkLJ2eZvKYlo2' || n, current_date FROM generate_series(1, {{mails}}) AS n;
        INSERT INTO receipts (number, payment_id, amount_minor, currency)
        SELECT to_char(now(), 'YYYY-') || lpad(n::text, 6, '0'), n, 1500, 'eur' FROM generate_series(1, {{mails}}) AS n;
        INSERT INTO notifications (kind, user_id, to_address, locale, payload)
        SELECT 'payment_receipt', id, email, locale, jsonb_build_object('payment_id', id) FROM users
        """);

    private static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int mails, string what, string fill)
    {
        var database = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(database, fill);
        await ground.FillAsync(database, "VACUUM ANALYZE");
        await using var server = SmtpServer.Start(new SmtpServerOptions { Keeps = false });
        var environment = ground.EnvironmentFor(database);
        environment["SMTP_URL"] = string.Create(CultureInfo.InvariantCulture, $"smtp://127.0.0.1:{server.Port}");
        environment["MAIL_FROM"] = "Club <office@example.test>";

        var run = await Task.Run(() => Measured.Run(JobProcess.Executable("send-notifications"), ["--output", "json"], environment).Succeeding("send-notifications"));
        var sent = JsonDocument.Parse(run.Stdout).RootElement.GetProperty("counters").GetProperty("sent").GetInt64();
        if (sent != mails || server.Count != mails)
            throw new InvalidOperationException($"{sent} sent and {server.Count} received instead of {mails}");
        await ground.Server.DropDatabaseAsync(database);
        var line = $"send-notifications, {what}";
        return
        [
            Result.AtMost(line, string.Create(CultureInfo.InvariantCulture, $"wall, {mails:N0} mails over {server.Connections} connections"), run.Wall.TotalSeconds, MostSeconds, "s"),
            Result.AtMost(line, "peak memory", run.PeakMiB, MostMiB, "MiB"),
            Result.Yardstick(line, "CPU a mail", string.Create(CultureInfo.InvariantCulture, $"{run.Cpu.TotalMilliseconds / mails:0.00} ms")),
        ];
    }
}
