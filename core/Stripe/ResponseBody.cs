using System.Buffers;

namespace Jobs.Stripe;

/// <summary>An answer's bytes, in a pooled buffer; reading stops at <see cref="MaxLength"/>.</summary>
internal sealed class ResponseBody : IDisposable
{
    public const int MaxLength = 16 * 1024 * 1024;

    private byte[] buffer = [];
    private int length;

    private ResponseBody()
    {
    }

    public bool TooLarge { get; private set; }

    /// <summary>Without a byte order mark.</summary>
    public ReadOnlySpan<byte> Bytes
    {
        get
        {
            var bytes = buffer.AsSpan(0, length);
            return bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        }
    }

    public static async Task<ResponseBody> ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        var body = new ResponseBody();
        try
        {
            await using var stream = await content.ReadAsStreamAsync(cancellationToken);
            body.Grow((int)Math.Clamp((content.Headers.ContentLength ?? 0) + 1, 16 * 1024, MaxLength + 1));
            int read;
            while ((read = await stream.ReadAsync(body.buffer.AsMemory(body.length), cancellationToken)) > 0)
            {
                body.length += read;
                if (body.length > MaxLength)
                {
                    body.TooLarge = true;
                    break;
                }

                if (body.length == body.buffer.Length)
                    body.Grow(Math.Min(body.buffer.Length * 2, MaxLength + 1));
            }

            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        length = 0;
    }

    private void Grow(int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(size);
        buffer.AsSpan(0, length).CopyTo(larger);
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
