using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Jobs.Mail;
using Jobs.Runs;
using Jobs.Testing;
using Jobs.Testing.FakeSmtp;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>Delivery by MailKit in a real conversation in which anything can go wrong at any step.</summary>
public sealed class SmtpTransportTests
{
    private static readonly SmtpStep[] BeforeTheDot = [SmtpStep.Mail, SmtpStep.Rcpt, SmtpStep.Data];
    private static readonly SmtpStep[] BeforeAnyMail = [SmtpStep.Greeting, SmtpStep.Ehlo];
    private int _handedOver;

    public static TheoryData<SmtpStep, SmtpTrouble, bool> LostLines => [.. from step in BeforeTheDot.Append(SmtpStep.Text).Append(SmtpStep.Dot).Append(SmtpStep.Stored)
                                                                          from trouble in new[] { SmtpTrouble.Drop, SmtpTrouble.Hang, SmtpTrouble.Garbage }
                                                                          from pipelining in new[] { true, false }
                                                                          select new TheoryDataRow<SmtpStep, SmtpTrouble, bool>(step, trouble, pipelining)];

    [Theory]
    [MemberData(nameof(LostLines))]
    public async Task Where_the_line_is_lost_decides_between_later_and_unknown(SmtpStep step, SmtpTrouble trouble, bool pipelining)
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { Pipelining = pipelining });
        server.Fault(new SmtpFault(step, trouble));
        await using var transport = Transport(server, "?timeout=1s");
        // Long enough for the line that breaks in the text to be noticed before the last byte leaves.
        var delivery = await transport.DeliverAsync(Mail(1), HandOver(300), CancellationToken.None);

        // Silence in the text is noticed only after it: the server reads no further, and the dot is on its way.
        var unknown = step is SmtpStep.Dot or SmtpStep.Stored || (step == SmtpStep.Text && trouble == SmtpTrouble.Hang);
        Assert.Equal(unknown ? DeliveryOutcome.Unknown : DeliveryOutcome.Deferred, delivery.Outcome);
        Assert.Equal(step is SmtpStep.Stored ? 1 : 0, server.Mails.Count);
        Assert.Equal(step is SmtpStep.Text or SmtpStep.Dot or SmtpStep.Stored ? 1 : 0, _handedOver);
        // The next mail goes its way over another connection.
        server.ClearFaults();
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal(2, server.Connections);
    }

    public static TheoryData<SmtpStep, string, DeliveryOutcome> Refusals => new()
    {
        { SmtpStep.Mail, "451 4.3.0 later", DeliveryOutcome.Deferred },
        { SmtpStep.Mail, "552 5.3.4 too large", DeliveryOutcome.Refused },
        { SmtpStep.Rcpt, "450 4.2.0 greylisted", DeliveryOutcome.Deferred },
        { SmtpStep.Rcpt, "550 5.1.1 nobody", DeliveryOutcome.Refused },
        { SmtpStep.Data, "451 4.3.0 later", DeliveryOutcome.Deferred },
        { SmtpStep.Data, "554 5.7.1 no", DeliveryOutcome.Refused },
        { SmtpStep.Dot, "451 4.7.0 later", DeliveryOutcome.Deferred },
        { SmtpStep.Dot, "554-5.7.1 spam\r\n554 5.7.1 it seems", DeliveryOutcome.Refused },
        { SmtpStep.Dot, "421 4.3.2 closing", DeliveryOutcome.Deferred },
        { SmtpStep.Text, "451 4.3.0 in the middle", DeliveryOutcome.Deferred },
        { SmtpStep.Text, "552 5.3.4 too large", DeliveryOutcome.Refused },
        { SmtpStep.Rcpt, "421 4.3.2 closing", DeliveryOutcome.Deferred },
        { SmtpStep.Data, "354 go on\r\n451 4.3.0 or rather later", DeliveryOutcome.Deferred },
        { SmtpStep.Data, "354 go on\r\n554 5.7.1 or rather not", DeliveryOutcome.Refused },
        { SmtpStep.Data, "354 go on\r\n250 2.0.0 kept already", DeliveryOutcome.Deferred },
        { SmtpStep.Dot, "354 what?", DeliveryOutcome.Unknown },
        { SmtpStep.Dot, "250-and\r\n550 both", DeliveryOutcome.Unknown },
        { SmtpStep.Dot, "999 what?", DeliveryOutcome.Unknown },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_refusal_is_for_now_or_for_good_and_the_next_mail_goes_its_way(SmtpStep step, string answer, DeliveryOutcome outcome)
    {
        foreach (var pipelining in new[] { true, false })
        {
            await using var server = SmtpServer.Start(new SmtpServerOptions { Pipelining = pipelining });
            server.Fault(new SmtpFault(step, SmtpTrouble.Reply, answer));
            await using var transport = Transport(server, "?timeout=5s");
            var delivery = await transport.DeliverAsync(Mail(1), HandOver(100), CancellationToken.None);

            Assert.Equal(outcome, delivery.Outcome);
            Assert.Empty(server.Mails);
            Assert.DoesNotContain('\n', delivery.Reason);
            server.ClearFaults();
            Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None)).Outcome);
            Assert.Equal("2", Assert.Single(server.Mails).Header("Subject"));
        }
    }

    [Theory]
    [InlineData(SmtpStep.Greeting, "554 5.7.1 go away")]
    [InlineData(SmtpStep.Greeting, "421 4.3.2 closing")]
    [InlineData(SmtpStep.Ehlo, "554 5.7.1 go away")]
    [InlineData(SmtpStep.Mail, "550 5.7.1 not from you")]
    [InlineData(SmtpStep.Mail, "530 5.7.0 log in first")]
    [InlineData(SmtpStep.Rcpt, "530 5.7.0 log in first")]
    public async Task What_concerns_every_mail_is_no_mails_fault(SmtpStep step, string answer)
    {
        await using var server = SmtpServer.Start();
        // After a refused EHLO comes HELO.
        server.Fault(new SmtpFault(step, SmtpTrouble.Reply, answer, Times: 2));
        await using var transport = Transport(server);
        var e = await Assert.ThrowsAsync<StopRunException>(() => transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None));
        Assert.Contains(answer, e.Message, StringComparison.Ordinal);
        Assert.Equal(0, _handedOver);
    }

    [Theory]
    [InlineData(SmtpTrouble.Drop)]
    [InlineData(SmtpTrouble.Hang)]
    [InlineData(SmtpTrouble.Garbage)]
    public async Task A_server_that_cannot_be_talked_to_is_no_mails_fault(SmtpTrouble trouble)
    {
        foreach (var step in BeforeAnyMail)
        {
            await using var server = SmtpServer.Start();
            server.Fault(new SmtpFault(step, trouble));
            await using var transport = Transport(server, "?timeout=1s");
            await Assert.ThrowsAsync<StopRunException>(() => transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_slow_server_is_waited_for_within_the_time_out()
    {
        await using var server = SmtpServer.Start();
        server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Slow));
        await using var patient = Transport(server, "?timeout=10s");
        Assert.Equal(DeliveryOutcome.Sent, (await patient.DeliverAsync(Mail(1), HandOver(), CancellationToken.None)).Outcome);
        server.Reset();
        server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Slow));
        await using var hasty = Transport(server, "?timeout=1s");
        Assert.Equal(DeliveryOutcome.Deferred, (await hasty.DeliverAsync(Mail(1), HandOver(), CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task Who_lost_the_mail_to_another_run_hangs_up_before_the_last_byte()
    {
        await using var server = SmtpServer.Start();
        await using var transport = Transport(server);
        Assert.Equal(DeliveryOutcome.LeftToAnother, (await transport.DeliverAsync(Mail(1), () => Task.FromResult(false), CancellationToken.None)).Outcome);
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal("2", Assert.Single(server.Mails).Header("Subject"));
    }

    [Fact]
    public async Task A_connection_is_used_again_and_one_that_the_server_closed_meanwhile_costs_no_mail_an_attempt()
    {
        await using var server = SmtpServer.Start();
        await using var transport = Transport(server);
        for (var i = 0; i < 5; i++)
            Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(i), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal(1, server.Connections);

        server.ClearFaults();
        server.Fault(new SmtpFault(SmtpStep.Mail, SmtpTrouble.Drop));
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(6), HandOver(), CancellationToken.None)).Outcome);
        server.ClearFaults();
        server.Fault(new SmtpFault(SmtpStep.Mail, SmtpTrouble.Reply, "421 4.4.2 you were idle"));
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(7), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal((7, 3), (server.Mails.Count, server.Connections));
    }

    [Fact]
    public async Task After_a_refusal_the_conversation_is_reset()
    {
        await using var server = SmtpServer.Start();
        server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Reply, "550 5.1.1 nobody"));
        await using (var transport = Transport(server))
        {
            await transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None);
            await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None);
        }

        Assert.Equal(1, server.Connections);
        Assert.Equal(["C: RSET", "C: QUIT"], server.Said.Where(line => line is "C: RSET" or "C: QUIT"));
    }

    [Theory]
    [InlineData(SmtpTrouble.Drop)]
    [InlineData(SmtpTrouble.Hang)]
    public async Task Neither_a_lost_reset_nor_a_lost_goodbye_does_harm(SmtpTrouble trouble)
    {
        await using var server = SmtpServer.Start();
        server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Reply, "550 5.1.1 nobody"));
        server.Fault(new SmtpFault(SmtpStep.Rset, trouble));
        server.Fault(new SmtpFault(SmtpStep.Quit, trouble));
        await using (var transport = Transport(server, "?timeout=1s"))
        {
            await transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None);
            Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None)).Outcome);
        }

        Assert.Single(server.Mails);
    }

    [Fact]
    public async Task A_server_that_takes_two_connections_gets_two()
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { MostConnections = 2 });
        await using var transport = new SmtpTransport(SmtpUrl.Parse($"smtp://127.0.0.1:{server.Port}"), 8, NullLogger.Instance);
        // One is there before the others come.
        await transport.DeliverAsync(Mail(0), HandOver(), CancellationToken.None);
        var all = await Task.WhenAll(Enumerable.Range(1, 40).Select(i => transport.DeliverAsync(Mail(i), async () => { await Task.Delay(5); return true; }, CancellationToken.None)));
        Assert.All(all, d => Assert.Equal(DeliveryOutcome.Sent, d.Outcome));
        Assert.Equal(41, server.Mails.Count);
    }

    [Fact]
    public async Task A_mail_with_dots_and_long_lines_arrives_as_it_was()
    {
        await using var server = SmtpServer.Start();
        await using var transport = Transport(server);
        var mail = Mail(1, ".\r\n..\r\n.a\r\nb\r\n.\r\n");
        await transport.DeliverAsync(mail, HandOver(), CancellationToken.None);
        Assert.Equal(mail.Bytes(), Assert.Single(server.Mails).Bytes);
    }

    [Fact]
    public async Task What_the_server_says_it_cannot_take_is_not_sent()
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { MostBytes = 1200 });
        await using var transport = Transport(server);
        Assert.Equal(DeliveryOutcome.Refused, (await transport.DeliverAsync(Mail(1, new string('x', 990)), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal(DeliveryOutcome.Refused, (await transport.DeliverAsync(Mail(1, to: "jürgen@example.test"), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task An_address_beyond_ASCII_goes_where_the_server_takes_such()
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { Utf8 = true });
        await using var transport = Transport(server);
        await transport.DeliverAsync(Mail(1, to: "jürgen@example.test"), HandOver(), CancellationToken.None);
        var mail = Assert.Single(server.Mails);
        Assert.Equal(("jürgen@example.test", "jürgen@example.test"), (mail.To, mail.Header("To")));
        Assert.Contains(server.Said, line => line.EndsWith(" SMTPUTF8", StringComparison.Ordinal) && line.StartsWith("C: MAIL", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_domain_beyond_ASCII_goes_as_the_DNS_has_it_whatever_the_server_takes()
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { Utf8 = true });
        await using var transport = Transport(server);
        string[] addresses = ["ada@bücher.test", "jürgen@example.test", "ada@xn--bcher-kva.test", "ada@example.test"];
        foreach (var to in addresses)
            Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(1, to: to), HandOver(), CancellationToken.None)).Outcome);

        Assert.Equal(["ada@xn--bcher-kva.test", "jürgen@example.test", "ada@xn--bcher-kva.test", "ada@example.test"], server.Mails.Select(m => m.To));
        Assert.Equal(server.Mails.Select(m => m.To), server.Mails.Select(m => m.Header("To")));
        Assert.Single(server.Said, line => line.EndsWith(" SMTPUTF8", StringComparison.Ordinal));
    }

    /// <summary>What the server has at the hand-over, byte by byte.</summary>
    [Theory]
    [InlineData("Hello\r\n", "8BITMIME")]
    [InlineData("Hello\r\n", "PIPELINING")]
    [InlineData(".\r\n..\r\n.a\r\n\r\n.\r\n", "PIPELINING")]
    [InlineData(".\r\n..\r\n.a\r\n\r\n.\r\n", "SIZE 100000000\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-8BITMIME")]
    [InlineData(null, "PIPELINING")]
    public async Task At_the_hand_over_the_server_has_the_whole_mail_and_not_its_end(string? text, string extensions)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var received = new List<byte>();
        var taking = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            var stream = client.GetStream();
            await stream.WriteAsync("220 ready\r\n"u8.ToArray());
            var buffer = new byte[4096];
            var (answered, inText) = (0, false);
            while (await stream.ReadAsync(buffer) is > 0 and var read)
            {
                lock (received)
                    received.AddRange(buffer[..read]);
                if (inText)
                {
                    if (!All(answered).EndsWith("\r\n.\r\n", StringComparison.Ordinal))
                        continue;
                    (answered, inText) = (received.Count, false);
                    await stream.WriteAsync("250 kept\r\n"u8.ToArray());
                }

                while (All(answered).Split("\r\n", 2) is [var line, _] && !inText)
                {
                    (answered, inText) = (answered + line.Length + 2, line == "DATA");
                    var answer = inText ? "354 go on" : line[0] == 'E' ? $"250-here\r\n250-{extensions}\r\n250 HELP" : "250 ok";
                    await stream.WriteAsync(Encoding.ASCII.GetBytes($"{answer}\r\n"));
                }
            }
        });

        // Longer than any buffer on the way, too.
        var mail = Mail(1, text ?? string.Concat(Enumerable.Repeat(".dots and words\r\n", 20_000)));
        // A dot after the line end of the headers, too, were there one.
        var whole = Encoding.ASCII.GetString(mail.Bytes()).Replace("\r\n.", "\r\n..", StringComparison.Ordinal);
        await using (var transport = new SmtpTransport(SmtpUrl.Parse($"smtp://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), 1, NullLogger.Instance))
        {
            var delivery = await transport.DeliverAsync(mail, async () =>
            {
                for (var i = 0; i < 500 && !All(0).EndsWith(whole, StringComparison.Ordinal); i++)
                    await Task.Delay(10);
                Assert.EndsWith($"\r\nDATA\r\n{whole}", All(0), StringComparison.Ordinal);
                Assert.DoesNotContain("\r\n.\r\n", All(0), StringComparison.Ordinal);
                await Task.Delay(100);
                Assert.EndsWith(whole, All(0), StringComparison.Ordinal);
                return true;
            }, CancellationToken.None);
            Assert.Equal(new Delivery(DeliveryOutcome.Sent), delivery);
            Assert.EndsWith($"{whole}.\r\n", All(0), StringComparison.Ordinal);
        }

        listener.Stop();
        // Our side closes at once.
        await Assert.ThrowsAsync<IOException>(() => taking);

        string All(int from)
        {
            lock (received)
                return Encoding.Latin1.GetString([.. received.Skip(from)]);
        }
    }

    [Fact]
    public async Task What_goes_wrong_with_the_hand_over_itself_is_not_the_mail_servers_doing()
    {
        await using var server = SmtpServer.Start();
        await using var transport = Transport(server);
        await Assert.ThrowsAsync<IOException>(() => transport.DeliverAsync(Mail(1), () => throw new IOException("the database"), CancellationToken.None));
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(2), HandOver(), CancellationToken.None)).Outcome);
        Assert.Equal("2", Assert.Single(server.Mails).Header("Subject"));
    }

    [Fact]
    public async Task The_end_of_the_run_stays_what_it_is()
    {
        foreach (var step in new[] { SmtpStep.Greeting, SmtpStep.Rcpt, SmtpStep.Dot })
        {
            await using var server = SmtpServer.Start();
            server.Fault(new SmtpFault(step, SmtpTrouble.Hang));
            await using var transport = Transport(server);
            using var ending = new CancellationTokenSource();
            var delivering = transport.DeliverAsync(Mail(1), HandOver(), ending.Token);
            await server.HeldAsync();
            await ending.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => delivering);
            Assert.Empty(server.Mails);
        }
    }

    [Fact]
    public async Task A_server_that_knows_only_HELO_will_do()
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { KnowsEhlo = false });
        await using var transport = Transport(server);
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None)).Outcome);
    }

    [Theory]
    [InlineData("PLAIN LOGIN")]
    [InlineData("PLAIN")]
    [InlineData("CRAM-MD5 LOGIN")]
    public async Task It_logs_in(string mechanisms)
    {
        await using var server = SmtpServer.Start(new SmtpServerOptions { User = "ada@example.test", Password = "p@ss/wörd", Mechanisms = mechanisms });
        await using var transport = Transport(server, "", $"{Uri.EscapeDataString("ada@example.test")}:{Uri.EscapeDataString("p@ss/wörd")}@");
        Assert.Equal(DeliveryOutcome.Sent, (await transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task A_refused_login_or_none_that_we_know_is_a_sentence_without_the_password()
    {
        foreach (var mechanisms in new[] { "PLAIN", "LOGIN", "XOAUTH2" })
        {
            await using var server = SmtpServer.Start(new SmtpServerOptions { User = "u", Password = "right", Mechanisms = mechanisms });
            // One that repeats what it was told.
            var secret = Convert.ToBase64String(Encoding.UTF8.GetBytes(mechanisms == "PLAIN" ? "\0u\0hunter2" : "hunter2"));
            server.Fault(new SmtpFault(SmtpStep.Auth, SmtpTrouble.Reply, $"535 5.7.8 not {secret}"));
            await using var transport = Transport(server, "", "u:hunter2@");
            var e = await Assert.ThrowsAsync<StopRunException>(() => transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None));
            Assert.Contains("SMTP_URL", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("hunter2", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_certificate_that_nobody_vouches_for_is_refused(bool implicitTls)
    {
        using var certificate = Certificate();
        await using var server = SmtpServer.Start(new SmtpServerOptions { Certificate = certificate, ImplicitTls = implicitTls });
        await using var transport = new SmtpTransport(SmtpUrl.Parse($"smtp{(implicitTls ? "s" : "")}://localhost:{server.Port}"), 1, NullLogger.Instance);
        var e = await Assert.ThrowsAsync<StopRunException>(() => transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None));
        Assert.Contains("certificate", e.Message, StringComparison.Ordinal);
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task Encryption_that_is_required_and_not_offered_is_refused()
    {
        await using var server = SmtpServer.Start();
        await using var transport = Transport(server, "?starttls=required");
        var e = await Assert.ThrowsAsync<StopRunException>(() => transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None));
        Assert.Contains("STARTTLS", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_talks_without_end_uses_up_neither_memory_nor_time()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var talking = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            try
            {
                while (true)
                    await client.GetStream().WriteAsync("220-and so on\r\n"u8.ToArray());
            }
            catch (IOException)
            {
                // Hung up on.
            }
        });
        await using var transport = new SmtpTransport(SmtpUrl.Parse($"smtp://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), 1, NullLogger.Instance);
        var e = await Assert.ThrowsAsync<StopRunException>(() => transport.DeliverAsync(Mail(1), HandOver(), CancellationToken.None));
        Assert.Contains("no end", e.Message, StringComparison.Ordinal);
        await talking;
        listener.Stop();
    }

    private static X509Certificate2 Certificate()
    {
        var certificates = ThrowawayCertificates.Create();
        using var pem = X509Certificate2.CreateFromPem(certificates.ServerPem, certificates.ServerKeyPem);
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }

    private static SmtpTransport Transport(SmtpServer server, string query = "", string login = "") =>
        new(SmtpUrl.Parse($"smtp://{login}127.0.0.1:{server.Port}{query}"), 1, NullLogger.Instance);

    private Func<Task<bool>> HandOver(int milliseconds = 0) => async () =>
    {
        await Task.Delay(milliseconds);
        return Interlocked.Increment(ref _handedOver) > 0;
    };

    private static OutgoingMail Mail(int number, string text = "Hello\r\n", string to = "ada@example.test") => MimeMail.Of(
        new Notification { Id = number, Kind = "receipt", ToAddress = to },
        new MailContent(number.ToString(System.Globalization.CultureInfo.InvariantCulture), text, text, []),
        new MailSettings(MailAddresses.Parse("office@example.test"), null, null, null, null), DateTime.UnixEpoch);
}
