using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Jobs.Tests.Proof.Hostile;

/// <summary>Stands between a job and the fake Stripe, and hands on everything but one answer, of which it makes what it is told.</summary>
internal sealed class AnswerRelay : IAsyncDisposable
{
    private static readonly string[] Hidden = ["Host", "Content-Length", "Content-Type", "Connection", "Transfer-Encoding", "Expect"];
    private static readonly string[] Told = ["Request-Id", "Idempotent-Replayed", "Stripe-Should-Retry", "Retry-After"];

    private readonly HttpListener _listener;
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });
    private readonly Uri _target;
    private readonly int _nth;
    private readonly Func<byte[], byte[]> _change;
    private readonly Task _accepting;
    private int _calls;

    public AnswerRelay(Uri target, int nth, Func<byte[], byte[]> change)
    {
        (_target, _nth, _change) = (target, nth, change);
        (_listener, Base) = Listen();
        _accepting = AcceptAsync();
    }

    public string Base { get; }

    /// <summary>The answer's turn came.</summary>
    public bool Changed { get; private set; }

    private static (HttpListener Listener, string Base) Listen()
    {
        for (var attempt = 0; ; attempt++)
        {
            int port;
            using (var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                port = ((IPEndPoint)probe.LocalEndPoint!).Port;
            }

            var address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
            var listener = new HttpListener { Prefixes = { address } };
            try
            {
                listener.Start();
                return (listener, address);
            }
            catch (HttpListenerException) when (attempt < 20)
            {
                // Somebody took the port in between.
                ((IDisposable)listener).Dispose();
            }
        }
    }

    private async Task AcceptAsync()
    {
        var answering = new List<Task>();
        while (true)
        {
            try
            {
                answering.Add(AnswerAsync(await _listener.GetContextAsync()));
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                await Task.WhenAll(answering);
                return;
            }
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        try
        {
            var mine = Interlocked.Increment(ref _calls) == _nth;
            using var request = new HttpRequestMessage(new HttpMethod(context.Request.HttpMethod), new Uri(_target, context.Request.RawUrl));
            if (context.Request.HasEntityBody)
            {
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                request.Content = new ByteArrayContent(body.ToArray());
                request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
            }

            foreach (var name in context.Request.Headers.AllKeys.Where(name => !Hidden.Contains(name, StringComparer.OrdinalIgnoreCase)))
                request.Headers.TryAddWithoutValidation(name!, context.Request.Headers[name]);
            using var answer = await _client.SendAsync(request);
            var bytes = await answer.Content.ReadAsByteArrayAsync();
            if (mine)
            {
                bytes = _change(bytes);
                Changed = true;
            }

            context.Response.StatusCode = (int)answer.StatusCode;
            context.Response.ContentType = "application/json";
            foreach (var name in Told.Where(answer.Headers.Contains))
                context.Response.Headers[name] = answer.Headers.GetValues(name).First();
            context.Response.ContentLength64 = bytes.Length;
            await context.Response.OutputStream.WriteAsync(bytes);
            context.Response.Close();
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException or HttpRequestException)
        {
            // The job has hung up.
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Once: a second time it binds the port again for a moment, which another may have by now.
        _listener.Close();
        await _accepting;
        _client.Dispose();
    }
}
