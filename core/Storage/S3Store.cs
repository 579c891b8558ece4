using System.Net;
using System.Net.Sockets;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Jobs.Runs;

namespace Jobs.Storage;

/// <summary>Files in a bucket of Amazon S3, or of anything else that speaks S3. Repeats what the network or a busy service undid.</summary>
internal sealed class S3Store : FileStore
{
    private readonly StoreUrl _location;
    private readonly AmazonS3Client _s3;

    public S3Store(StoreUrl location, Settings settings)
    {
        _location = location;
        _s3 = new AmazonS3Client(Credentials(settings), Configuration(location, settings));
    }

    private static AWSCredentials Credentials(Settings settings)
    {
        var id = settings.Required("AWS_ACCESS_KEY_ID", "the id of the access key that may write to the bucket");
        var secret = settings.Required("AWS_SECRET_ACCESS_KEY", "the secret of the access key AWS_ACCESS_KEY_ID");
        return settings.Optional("AWS_SESSION_TOKEN") is { } token ? new SessionAWSCredentials(id, secret, token) : new BasicAWSCredentials(id, secret);
    }

    private static AmazonS3Config Configuration(StoreUrl location, Settings settings)
    {
        var region = location.Region ?? settings.Optional("AWS_REGION") ?? (location.Endpoint is null
            ? throw new OperatorException($"{location.Variable} names no region; add ?region=eu-west-3 with the bucket's own, or set AWS_REGION")
            : "us-east-1");
        var config = new AmazonS3Config
        {
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = 4,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            Timeout = TimeSpan.FromSeconds(60),
            // Newer checksums that not every service knows: each request's body is signed, and what counts is read back.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (location.Endpoint is null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }
        else
        {
            (config.ServiceURL, config.AuthenticationRegion, config.ForcePathStyle) = (location.Endpoint.AbsoluteUri, region, true);
        }

        return config;
    }

    public override string UrlOf(string name) => $"s3://{_location.Bucket}/{KeyOf(name)}";

    public override async Task<long?> PutAsync(string name, Func<Stream, Task<bool>> write, CancellationToken cancellation)
    {
        await using var upload = new S3Upload(_s3, _location.Bucket!, KeyOf(name), work => AskAsync(name, "written", work), cancellation);
        if (!await write(upload))
        {
            return null;
        }

        await upload.CompleteAsync();
        return upload.Position;
    }

    public override async Task<Stream?> OpenAsync(string name, CancellationToken cancellation)
    {
        Stream? content = null;
        await AskAsync(name, "read", async () =>
        {
            try
            {
                content = (await _s3.GetObjectAsync(new GetObjectRequest { BucketName = _location.Bucket, Key = KeyOf(name) }, cancellation)).ResponseStream;
            }
            catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchKey")
            {
                // Stays null.
            }
        });
        return content;
    }

    public override async Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, CancellationToken cancellation)
    {
        var (files, key, next) = (new List<StoredFile>(), KeyOf(prefix), (string?)null);
        do
        {
            var request = new ListObjectsV2Request { BucketName = _location.Bucket, Prefix = key, ContinuationToken = next };
            await AskAsync(prefix, "listed", async () =>
            {
                var page = await _s3.ListObjectsV2Async(request, cancellation);
                files.AddRange((page.S3Objects ?? []).Select(o => new StoredFile(prefix + o.Key[key.Length..], o.Size ?? 0)));
                next = page.IsTruncated == true ? page.NextContinuationToken : null;
            });
        }
        while (next is not null);
        return [.. files.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    public override Task DeleteAsync(string name, CancellationToken cancellation) =>
        AskAsync(name, "removed", () => _s3.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _location.Bucket, Key = KeyOf(name) }, cancellation));

    public override async Task<int> RemoveUnfinishedAsync(string name, CancellationToken cancellation)
    {
        var removed = 0;
        var request = new ListMultipartUploadsRequest { BucketName = _location.Bucket, Prefix = KeyOf(name) };
        var more = true;
        while (more)
        {
            await AskAsync(name, "removed", async () =>
            {
                var page = await _s3.ListMultipartUploadsAsync(request, cancellation);
                foreach (var upload in (page.MultipartUploads ?? []).Where(u => u.Key == KeyOf(name)))
                {
                    await AbortAsync(upload, cancellation);
                    removed++;
                }

                (request.KeyMarker, request.UploadIdMarker, more) = (page.NextKeyMarker, page.NextUploadIdMarker, page.IsTruncated == true);
            });
        }

        return removed;
    }

    private async Task AbortAsync(MultipartUpload upload, CancellationToken cancellation)
    {
        try
        {
            await _s3.AbortMultipartUploadAsync(
                new AbortMultipartUploadRequest { BucketName = _location.Bucket, Key = upload.Key, UploadId = upload.UploadId }, cancellation);
        }
        catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchUpload")
        {
            // Gone, which is what was asked for.
        }
    }

    private string KeyOf(string name) => _location.Path.Length == 0 ? name : $"{_location.Path}/{name}";

    /// <summary>Turns what the service or the network says into a sentence.</summary>
    private async Task AskAsync(string name, string done, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (AmazonServiceException e) when (e.StatusCode == HttpStatusCode.Forbidden && done is not ("read" or "written") && Reason(e)!.Contains("needs", StringComparison.Ordinal))
        {
            throw new StoreException(
                $"{UrlOf(name)} could not be {done}: the service refused it ({e.ErrorCode}); the access key needs s3:ListBucket, s3:ListBucketMultipartUploads, s3:DeleteObject and s3:AbortMultipartUpload on the bucket {_location.Bucket}",
                e);
        }
        catch (Exception e) when (Reason(e) is { } reason)
        {
            throw new StoreException($"{UrlOf(name)} could not be {done}: {reason}", e);
        }
    }

    private string? Reason(Exception e) => e switch
    {
        AmazonServiceException { ErrorCode: "NoSuchBucket" } => $"there is no bucket {_location.Bucket}; create it, or correct its name or region in {_location.Variable}",
        AmazonServiceException { ErrorCode: "InvalidAccessKeyId" or "SignatureDoesNotMatch" or "InvalidToken" or "ExpiredToken" or "AuthorizationHeaderMalformed" } s =>
            $"the service refused the credentials ({s.Message}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and the region",
        AmazonServiceException { StatusCode: HttpStatusCode.Forbidden } s =>
            $"the service refused it ({s.ErrorCode}); the access key needs s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on the bucket {_location.Bucket}",
        AmazonServiceException s when (int)s.StatusCode >= 300 => $"the service answered {(int)s.StatusCode} {s.ErrorCode} ({s.Message}); run again when it is well",
        AmazonClientException or HttpRequestException or HttpIOException or IOException { InnerException: SocketException }
            or TimeoutException or TaskCanceledException { InnerException: TimeoutException } or SocketException =>
            $"the service cannot be reached ({e.GetBaseException().Message}); check the endpoint or region in {_location.Variable} and the network",
        _ => null,
    };

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _s3.Dispose();
        }

        base.Dispose(disposing);
    }
}
