using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Jobs.Stripe;

/// <summary>
/// The body, and the last look before it leaves: asked for by the connection only once it is there, which may be long
/// after the send began. What was never asked for has surely not been carried out.
/// </summary>
internal sealed class StripeRequestContent : HttpContent
{
    private readonly StripeCall call;
    private readonly byte[] bytes;

    public StripeRequestContent(StripeCall call)
    {
        this.call = call;
        bytes = Encoding.ASCII.GetBytes(call.Body!.ToString());
        Headers.ContentType = new MediaTypeHeaderValue("application/x-www-form-urlencoded");
    }

    /// <summary>Bytes may have left.</summary>
    public bool Started { get; private set; }

    /// <summary>The key grew too old while the send waited for a connection.</summary>
    public bool Expired { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (call.IsKeyExpired)
        {
            Expired = true;
            throw call.KeyExpired();
        }

        Started = true;
        return stream.WriteAsync(bytes, cancellationToken).AsTask();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = bytes.Length;
        return true;
    }
}
