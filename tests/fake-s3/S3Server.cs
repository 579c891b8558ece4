using System.Globalization;
using System.Security;
using System.Xml.Linq;

namespace Jobs.Testing.FakeS3;

/// <summary>The way of one request: signature, bucket, then what is asked. Faults come in where the real mishap would.</summary>
internal sealed class S3Server(ObjectStore store, Faults faults)
{
    private const int LeastPart = 5 * 1024 * 1024;

    private sealed record Answer(int Status, byte[] Body, string ContentType = "application/xml", string? ETag = null, long? Length = null);

    public async Task HandleAsync(HttpContext http)
    {
        var request = http.Request;
        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer);
        var fault = faults.Match(request.Method, $"{request.Method} {request.Path}{request.QueryString}");
        if (fault?.Kind == "drop_before")
        {
            http.Abort();
            return;
        }

        if (fault?.Kind == "hang_before")
        {
            await faults.Waiting.HoldAsync(http.RequestAborted);
            return;
        }

        var answer = fault?.Kind == "status" ? Of(new S3Error(fault.Status, fault.Code, "by order")) : Carry(request, buffer.ToArray());
        if (fault?.Kind == "hang_after")
            await faults.Waiting.HoldAsync(http.RequestAborted);
        if (fault?.Kind is "drop_after" or "hang_after")
        {
            http.Abort();
            return;
        }

        if (fault?.Kind == "status_after")
            answer = Of(new S3Error(fault.Status, fault.Code, "by order"));
        await SendAsync(http, answer, truncated: fault?.Kind == "truncated_body");
    }

    private static async Task SendAsync(HttpContext http, Answer answer, bool truncated)
    {
        var response = http.Response;
        response.StatusCode = answer.Status;
        response.Headers["x-amz-request-id"] = Guid.NewGuid().ToString("N")[..16].ToUpperInvariant();
        if (answer.ETag is not null)
            response.Headers.ETag = answer.ETag;
        if (answer.Status == 204)
            return;
        response.ContentType = answer.ContentType;
        response.ContentLength = answer.Length ?? answer.Body.Length;
        if (http.Request.Method == "HEAD")
            return;
        await response.Body.WriteAsync(truncated ? answer.Body.AsMemory(0, answer.Body.Length / 2) : answer.Body);
        if (truncated)
        {
            await response.Body.FlushAsync();
            http.Abort();
        }
    }

    private Answer Carry(HttpRequest request, byte[] body)
    {
        try
        {
            Signature.Check(request, body);
            var path = request.Path.Value!.TrimStart('/').Split('/', 2);
            if (store.Bucket(path[0]) is null)
                throw new S3Error(404, "NoSuchBucket", "The specified bucket does not exist");
            return path is [var bucket, { Length: > 0 } key] ? OfObject(request, bucket, key, body) : OfBucket(request, path[0]);
        }
        catch (S3Error error)
        {
            return Of(error);
        }
    }

    private Answer OfObject(HttpRequest request, string bucket, string key, byte[] body)
    {
        var objects = store.Bucket(bucket)!;
        var (method, uploadId) = (request.Method, request.Query["uploadId"].ToString());
        if (method == "POST" && request.Query.ContainsKey("uploads"))
            return Xml($"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{SecurityElement.Escape(key)}</Key><UploadId>{store.Begin(bucket, key)}</UploadId></InitiateMultipartUploadResult>");
        if (uploadId.Length > 0)
            return OfUpload(request, uploadId, body);
        switch (method)
        {
            case "PUT":
                var stored = objects[key] = StoredObject.Of(body);
                return new Answer(200, [], ETag: stored.ETag);
            case "GET" or "HEAD" when objects.TryGetValue(key, out var found):
                return new Answer(200, found.Content, "application/octet-stream", found.ETag);
            case "GET" or "HEAD":
                throw new S3Error(404, "NoSuchKey", "The specified key does not exist.");
            case "DELETE":
                objects.TryRemove(key, out _);
                return new Answer(204, []);
            default:
                throw new S3Error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
        }
    }

    private Answer OfUpload(HttpRequest request, string uploadId, byte[] body)
    {
        if (store.Find(uploadId) is not { } upload)
            throw new S3Error(404, "NoSuchUpload", "The specified multipart upload does not exist.");
        switch (request.Method)
        {
            case "PUT":
                var part = upload.Parts[int.Parse(request.Query["partNumber"].ToString(), CultureInfo.InvariantCulture)] = StoredObject.Of(body);
                return new Answer(200, [], ETag: part.ETag);
            case "POST":
                var parts = XDocument.Parse(System.Text.Encoding.UTF8.GetString(body)).Root!.Elements().Select(e => (
                    Number: (int)e.Elements().Single(x => x.Name.LocalName == "PartNumber"), ETag: (string)e.Elements().Single(x => x.Name.LocalName == "ETag"))).ToList();
                if (parts.Exists(p => upload.Parts.GetValueOrDefault(p.Number)?.ETag.Trim('"') != p.ETag.Trim('"')))
                    throw new S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.");
                if (parts.SkipLast(1).Any(p => upload.Parts[p.Number].Content.Length < LeastPart))
                    throw new S3Error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.");
                var whole = store.Bucket(upload.Bucket)![upload.Key] = StoredObject.Of([.. parts.Select(p => upload.Parts[p.Number])]);
                store.End(uploadId);
                return Xml($"<CompleteMultipartUploadResult><Bucket>{upload.Bucket}</Bucket><Key>{SecurityElement.Escape(upload.Key)}</Key><ETag>{SecurityElement.Escape(whole.ETag)}</ETag></CompleteMultipartUploadResult>");
            case "DELETE":
                store.End(uploadId);
                return new Answer(204, []);
            default:
                throw new S3Error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
        }
    }

    /// <summary>list-type=2, all on one page unless max-keys says otherwise.</summary>
    private Answer OfBucket(HttpRequest request, string bucket)
    {
        if (request.Method == "GET" && request.Query.ContainsKey("uploads"))
            return Uploads(bucket, request.Query["prefix"].ToString());
        if (request.Method != "GET" || request.Query["list-type"] != "2")
            throw new S3Error(501, "NotImplemented", "A header you provided implies functionality that is not implemented.");
        var (prefix, after) = (request.Query["prefix"].ToString(), request.Query["continuation-token"].ToString());
        var most = request.Query.TryGetValue("max-keys", out var text) ? int.Parse(text.ToString(), CultureInfo.InvariantCulture) : 1000;
        var found = store.Bucket(bucket)!.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(o.Key, after) > 0)
            .OrderBy(o => o.Key, StringComparer.Ordinal).Take(most + 1).ToList();
        var page = found.Take(most).ToList();
        var next = found.Count > most ? $"<IsTruncated>true</IsTruncated><NextContinuationToken>{SecurityElement.Escape(page[^1].Key)}</NextContinuationToken>" : "<IsTruncated>false</IsTruncated>";
        return Xml($"<ListBucketResult><Name>{bucket}</Name><KeyCount>{page.Count}</KeyCount>{next}{string.Concat(page.Select(o =>
            string.Create(CultureInfo.InvariantCulture, $"<Contents><Key>{SecurityElement.Escape(o.Key)}</Key><LastModified>{o.Value.LastModified:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}</LastModified><ETag>{SecurityElement.Escape(o.Value.ETag)}</ETag><Size>{o.Value.Content.Length}</Size></Contents>")))}</ListBucketResult>");
    }

    private Answer Uploads(string bucket, string prefix) =>
        Xml($"<ListMultipartUploadsResult><Bucket>{bucket}</Bucket><IsTruncated>false</IsTruncated>{string.Concat(store.UploadsOf(bucket, prefix).Select(upload =>
            $"<Upload><Key>{SecurityElement.Escape(upload.Key)}</Key><UploadId>{upload.Id}</UploadId></Upload>"))}</ListMultipartUploadsResult>");

    private static Answer Xml(string text, int status = 200) => new(status, System.Text.Encoding.UTF8.GetBytes($"<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}"));

    private static Answer Of(S3Error error) =>
        Xml($"<Error><Code>{error.Code}</Code><Message>{SecurityElement.Escape(error.Message)}</Message><RequestId>0</RequestId></Error>", error.Status);
}
