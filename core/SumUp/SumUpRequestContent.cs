using System.Net;
using System.Net.Http.Headers;

namespace Jobs.SumUp;

/// <summary>
/// The body, and the last look before it leaves. Every write has one, if only of no bytes: the connection sends a request
/// without one again by itself, and what was never asked for has surely not been carried out.
/// </summary>
internal sealed class SumUpRequestContent : HttpContent
{
    private readonly byte[] bytes;
    private readonly Func<bool>? mayStillBeSent;

    public SumUpRequestContent(byte[] bytes, Func<bool>? mayStillBeSent)
    {
        (this.bytes, this.mayStillBeSent) = (bytes, mayStillBeSent);
        if (bytes.Length > 0)
            Headers.ContentType = new MediaTypeHeaderValue("application/json");
    }

    /// <summary>Bytes may have left.</summary>
    public bool Started { get; private set; }

    /// <summary>It was no longer wanted when its turn came.</summary>
    public bool Withheld { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (Started)
            throw new InvalidOperationException("A write is sent once.");
        if (mayStillBeSent?.Invoke() == false)
        {
            Withheld = true;
            throw new InvalidOperationException("It may no longer be sent.");
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
