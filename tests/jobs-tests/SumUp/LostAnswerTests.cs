using System.Net;
using System.Net.Sockets;
using Jobs.SumUp;
using Jobs.Tests.Rig;
using Jobs.Tests.Stripe;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Jobs.Tests.SumUp;

/// <summary>What a write that got no result may have done, and that it is never sent a second time.</summary>
public sealed class LostAnswerTests
{
    private static readonly Dictionary<string, Func<SumUpClient, Task>> Writes = new(StringComparer.Ordinal)
    {
        ["checkout"] = client => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout),
        ["terminate"] = client => client.TerminateReaderCheckoutAsync("rdr_1"),
        ["refund"] = client => client.RefundAsync("t-1", 500, "eur"),
        ["whole refund"] = client => client.RefundAsync("t-1", null, "eur"),
        ["pair"] = client => client.CreateReaderAsync("ABCD1234", "Desk"),
        ["unpair"] = client => client.DeleteReaderAsync("rdr_1"),
    };

    public static TheoryData<string> Names => [.. Writes.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_lost_answer_may_have_happened(string write)
    {
        using var network = new StubStripe(StubStripe.Lost);
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => Writes[write](client));
        Assert.Equal((SumUpErrorKind.NoAnswer, (HttpStatusCode?)null, true), (e.Kind, e.Status, e.MayHaveHappened));
        Assert.Single(network.Requests);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_refused_connection_surely_did_nothing(string write)
    {
        using var network = new StubStripe(StubStripe.Refused);
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => Writes[write](client));
        Assert.Equal((SumUpErrorKind.NotSent, false), (e.Kind, e.MayHaveHappened));
        Assert.Single(network.Requests);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_dry_run_sends_nothing(string write)
    {
        using var network = new StubStripe(StubStripe.Lost);
        using var client = Stub.Client(network, readOnly: true);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Writes[write](client));
        Assert.Empty(network.Requests);
    }

    /// <summary>On a connection that was kept, and that the server has closed meanwhile, the network library sends some requests again by itself.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_server_that_hangs_up_gets_a_write_once(string write)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var writes = 0;
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var socket = await listener.AcceptSocketAsync();
                var buffer = new byte[8192];
                for (int read; (read = await socket.ReceiveAsync(buffer)) > 0;)
                {
                    if (buffer.AsSpan(0, read).StartsWith("GET"u8))
                    {
                        await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"items\":[]}"u8.ToArray());
                        continue;
                    }

                    Interlocked.Increment(ref writes);
                    break;
                }
            }
        });
        using var client = new SumUpClient(
            new SumUpClientOptions { ApiKey = Stub.Key, MerchantCode = "M", AffiliateKey = Stub.AffiliateKey, AppId = "a", ApiBase = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}") },
            NullLogger<SumUpClient>.Instance);
        Assert.Empty(await client.ListReadersAsync());
        var e = await Assert.ThrowsAsync<SumUpException>(() => Writes[write](client));
        Assert.Equal((SumUpErrorKind.NoAnswer, true, 1), (e.Kind, e.MayHaveHappened, writes));
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => serving);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("<html>ok</html>")]
    [InlineData("""{"data":{}}""")]
    [InlineData("""{"data":{"client_transaction_id":""}}""")]
    public async Task An_accepted_checkout_without_a_readable_id_may_have_happened(string body)
    {
        using var network = new StubStripe(StubStripe.Answer(201, body));
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout));
        Assert.Equal((SumUpErrorKind.NoAnswer, (HttpStatusCode?)HttpStatusCode.Created, true), (e.Kind, e.Status, e.MayHaveHappened));
        Assert.Single(network.Requests);
    }

    [Fact]
    public async Task What_is_no_longer_wanted_when_its_turn_comes_is_not_sent()
    {
        using var network = new StubStripe(StubStripe.Answer(201, Stub.Accepted));
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout with { MayStillBeSent = () => false }));
        Assert.Equal((SumUpErrorKind.NotSent, false), (e.Kind, e.MayHaveHappened));
        Assert.Equal("c-1", (await client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout with { MayStillBeSent = () => true })).ClientTransactionId);
    }

    [Fact]
    public async Task What_is_no_longer_wanted_does_not_reach_the_server()
    {
        var merchant = await SumUpMerchant.CreateAsync();
        using var client = merchant.Client();
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync(merchant.Readers[0].Id, Stub.Checkout with { MayStillBeSent = () => false }));
        Assert.Equal((SumUpErrorKind.NotSent, false), (e.Kind, e.MayHaveHappened));
        Assert.Empty(await merchant.RequestsAsync());
    }

    [Fact]
    public async Task Nobody_listening_is_provably_not_sent()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        using var client = new SumUpClient(
            new SumUpClientOptions { ApiKey = Stub.Key, MerchantCode = "M", AffiliateKey = Stub.AffiliateKey, AppId = "a", ApiBase = new Uri($"http://127.0.0.1:{port}") },
            NullLogger<SumUpClient>.Instance);
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout));
        Assert.Equal((SumUpErrorKind.NotSent, false), (e.Kind, e.MayHaveHappened));
    }

    [Fact]
    public async Task A_silent_server_is_given_up_in_time_and_may_have_done_it()
    {
        var merchant = await SumUpMerchant.CreateAsync();
        await merchant.FaultAsync("hang_after", "/checkout$");
        using var client = merchant.Client(TimeSpan.FromMilliseconds(300));
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync(merchant.Readers[0].Id, Stub.Checkout));
        Assert.Equal((SumUpErrorKind.NoAnswer, true), (e.Kind, e.MayHaveHappened));
        Assert.Contains("did not answer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_says_whether_it_may_have_happened()
    {
        var merchant = await SumUpMerchant.CreateAsync();
        await merchant.FaultAsync("hang_after", "/checkout$");
        using var client = merchant.Client();
        using var cancel = new CancellationTokenSource();
        var call = client.CreateReaderCheckoutAsync(merchant.Readers[0].Id, Stub.Checkout, cancel.Token);
        await merchant.HeldAsync();
        await cancel.CancelAsync();
        Assert.True((await Assert.ThrowsAsync<SumUpException>(() => call)).MayHaveHappened);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.CreateReaderCheckoutAsync(merchant.Readers[0].Id, Stub.Checkout, cancel.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.ListReadersAsync(cancel.Token));
    }

    [Fact]
    public async Task Without_the_ids_that_find_it_again_no_payment_is_asked_for()
    {
        using var network = new StubStripe(StubStripe.Answer(201, Stub.Accepted));
        using var client = Stub.Client(network, affiliate: false);
        await Assert.ThrowsAsync<InvalidOperationException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout));
        Assert.Empty(network.Requests);
    }
}
