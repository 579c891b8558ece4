using System.Net;
using System.Net.Sockets;
using System.Text;
using Jobs.Stripe;
using Xunit;

namespace Jobs.Tests.Stripe;

/// <summary>The real handler against a real socket that misbehaves.</summary>
public sealed class LoopbackTests
{
    private static readonly FormBody Body = FormBody.Parse("amount=1250&currency=eur");

    [Fact]
    public async Task A_whole_exchange_over_a_socket()
    {
        await using var server = new Server(Reply(200, StubStripe.PaymentIntent("succeeded")));
        using var client = server.Client();
        var response = await client.PaymentIntents.CreateAsync(Body, new IdempotencyKey("key-1"));
        Assert.Equal("pi_1", response.Value.Id);
        var request = Assert.Single(server.Requests);
        Assert.StartsWith("POST /v1/payment_intents HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("Idempotency-Key: key-1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("Content-Length: 24\r\n", request, StringComparison.Ordinal);
        Assert.DoesNotContain("traceparent", request, StringComparison.OrdinalIgnoreCase);
        Assert.EndsWith("\r\n\r\namount=1250&currency=eur", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_without_parameters_still_names_its_type_and_length()
    {
        await using var server = new Server(Reply(200, StubStripe.PaymentIntent("canceled")));
        using var client = server.Client();
        await client.PaymentIntents.CancelAsync("pi_1", FormBody.Empty, IdempotencyKey.New());
        Assert.Contains("Content-Type: application/x-www-form-urlencoded\r\n", server.Requests[0], StringComparison.Ordinal);
        Assert.Contains("Content-Length: 0\r\n", server.Requests[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_connection_surely_did_nothing()
    {
        var server = new Server(null);
        using var client = server.Client(maxAttempts: 2);
        await server.DisposeAsync();
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.False(e.MayHaveHappened);
        Assert.Null(e.HttpStatus);
        Assert.Contains("could not be reached", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_dropped_after_the_request_may_have_done_it()
    {
        await using var server = new Server((byte[]?)null);
        using var client = server.Client(maxAttempts: 2);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.True(e.MayHaveHappened);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task A_cut_off_answer_is_asked_for_again()
    {
        var whole = Reply(200, StubStripe.PaymentIntent("succeeded"))!;
        await using var server = new Server(whole[..^20], whole);
        using var client = server.Client();
        Assert.Equal("pi_1", (await client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New())).Value.Id);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using var server = new Server(Encoding.ASCII.GetBytes("HTTP/1.1 302 Found\r\nLocation: /v1/elsewhere\r\nContent-Length: 0\r\n\r\n"));
        using var client = server.Client();
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.Equal(HttpStatusCode.Found, e.HttpStatus);
        Assert.True(e.MayHaveHappened);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task An_answer_without_an_end_is_given_up()
    {
        await using var server = new Server(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + new string(' ', 17 * 1024 * 1024)));
        using var client = server.Client();
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        Assert.Contains("larger than 16 MiB", e.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_silent_server_is_given_up_after_the_time_out()
    {
        await using var server = new Server(Array.Empty<byte>());
        using var client = server.Client(maxAttempts: 1, timeout: TimeSpan.FromMilliseconds(200));
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.True(e.MayHaveHappened);
        Assert.Contains("did not answer", e.Message, StringComparison.Ordinal);
    }

    private static byte[] Reply(int status, string json) =>
        Encoding.UTF8.GetBytes($"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}");

    /// <summary>One reply a connection: null hangs up after the request, empty stays silent.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource stop = new();
        private readonly Task running;

        public Server(params byte[]?[]? replies)
        {
            listener.Start();
            Port = ((IPEndPoint)listener.LocalEndpoint).Port;
            running = replies is null ? Task.CompletedTask : RunAsync(replies);
        }

        public int Port { get; }

        public List<string> Requests { get; } = [];

        public StripeClient Client(int maxAttempts = 6, TimeSpan? timeout = null) => new(new StripeClientOptions
        {
            SecretKey = "sk_test_123",
            ApiBase = new Uri($"http://127.0.0.1:{Port}"),
            MaxAttempts = maxAttempts,
            MaxDelay = TimeSpan.FromMilliseconds(1),
            MaxRequestsPerSecond = 1000,
            RequestTimeout = timeout ?? TimeSpan.FromSeconds(20),
        });

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            listener.Stop();
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.Dispose();
        }

        private async Task RunAsync(byte[]?[] replies)
        {
            for (var i = 0; ; i++)
            {
                using var connection = await listener.AcceptTcpClientAsync(stop.Token);
                var stream = connection.GetStream();
                Requests.Add(await ReadRequestAsync(stream));
                var reply = replies[Math.Min(i, replies.Length - 1)];
                if (reply is { Length: 0 })
                    await Task.Delay(Timeout.Infinite, stop.Token);
                try
                {
                    await stream.WriteAsync(reply ?? [], stop.Token);
                }
                catch (IOException)
                {
                    // the client has had enough
                }
            }
        }

        private async Task<string> ReadRequestAsync(NetworkStream stream)
        {
            var text = new StringBuilder();
            var buffer = new byte[4096];
            while (true)
            {
                var read = await stream.ReadAsync(buffer, stop.Token);
                text.Append(Encoding.ASCII.GetString(buffer, 0, read));
                var request = text.ToString();
                var end = request.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                var length = request.Split("\r\n").FirstOrDefault(h => h.StartsWith("Content-Length: ", StringComparison.Ordinal));
                var body = length is null ? 0 : int.Parse(length["Content-Length: ".Length..], System.Globalization.CultureInfo.InvariantCulture);
                if (read == 0 || (end >= 0 && request.Length >= end + 4 + body))
                    return request;
            }
        }
    }
}
