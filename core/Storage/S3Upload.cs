using Amazon.S3;
using Amazon.S3.Model;

namespace Jobs.Storage;

/// <summary>
/// What is written goes up a part at a time; a file of less than a part in one request. The object is there when
/// <see cref="CompleteAsync"/> returns, and until then not at all.
/// </summary>
internal sealed class S3Upload(AmazonS3Client s3, string bucket, string key, Func<Func<Task>, Task> ask, CancellationToken cancellation) : Stream
{
    // S3 takes 10,000 parts: with larger ones after the first 40 GB, files up to 360 GB.
    private const int FirstPartSize = 8 * 1024 * 1024;
    private const int LaterPartSize = 64 * 1024 * 1024;
    private const int FirstParts = 5000;

    private readonly MemoryStream _part = new(FirstPartSize);
    private readonly List<PartETag> _parts = [];
    private string? _uploadId;
    private long _length;

    public async Task CompleteAsync()
    {
        if (_uploadId is null)
        {
            await ask(() => s3.PutObjectAsync(
                new PutObjectRequest { BucketName = bucket, Key = key, InputStream = Part(), AutoCloseStream = false, UseChunkEncoding = false }, cancellation));
            return;
        }

        await SendPartAsync();
        await ask(CompletePartsAsync);
        _uploadId = null;
    }

    private async Task CompletePartsAsync()
    {
        try
        {
            await s3.CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest { BucketName = bucket, Key = key, UploadId = _uploadId, PartETags = _parts }, cancellation);
        }
        catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchUpload")
        {
            // Completed before, and the answer was lost: then the object is there.
            var found = await s3.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = bucket, Key = key }, cancellation);
            if (found.ContentLength != _length)
            {
                throw;
            }
        }
    }

    private int PartSize => _parts.Count < FirstParts ? FirstPartSize : LaterPartSize;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _length += buffer.Length;
        while (buffer.Length > 0)
        {
            if (_part.Length == PartSize)
            {
                await SendPartAsync();
            }

            var fits = (int)Math.Min(buffer.Length, PartSize - _part.Length);
            _part.Write(buffer.Span[..fits]);
            buffer = buffer[fits..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private async Task SendPartAsync()
    {
        await ask(async () => _uploadId ??= (await s3.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = bucket, Key = key }, cancellation)).UploadId);
        var number = _parts.Count + 1;
        await ask(async () =>
        {
            var sent = await s3.UploadPartAsync(
                new UploadPartRequest { BucketName = bucket, Key = key, UploadId = _uploadId, PartNumber = number, InputStream = Part(), UseChunkEncoding = false },
                cancellation);
            _parts.Add(new PartETag(number, sent.ETag));
        });
        _part.SetLength(0);
    }

    // Over the same memory: what sends it may close it.
    private MemoryStream Part() => new(_part.GetBuffer(), 0, (int)_part.Length, writable: false);

    /// <summary>Parts of an upload that was given up cost money until somebody removes them.</summary>
    public override async ValueTask DisposeAsync()
    {
        if (_uploadId is not null)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3));
            try
            {
                await s3.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = bucket, Key = key, UploadId = _uploadId }, patience.Token);
            }
            catch (Exception)
            {
                // What led here is the failure to speak of.
            }
        }

        await _part.DisposeAsync();
        await base.DisposeAsync();
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => _length;
    public override long Position { get => _length; set => throw new NotSupportedException(); }

    public override void Flush()
    {
        // Parts go when they are full.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("asynchronously only");
}
