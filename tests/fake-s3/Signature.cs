using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Jobs.Testing.FakeS3;

/// <summary>AWS Signature Version 4 in the Authorization header, over the whole body.</summary>
internal static class Signature
{
    private const string AccessKey = "fake-access-key";
    private const string SecretKey = "fake-secret-key";
    private const string Algorithm = "AWS4-HMAC-SHA256";

    public static void Check(HttpRequest request, byte[] body)
    {
        var header = request.Headers.Authorization.ToString();
        if (!header.StartsWith(Algorithm + " ", StringComparison.Ordinal))
            throw new S3Error(403, "AccessDenied", "Access Denied");
        var parts = header[(Algorithm.Length + 1)..].Split(',', StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        var scope = parts["Credential"].Split('/', 2);
        if (scope[0] != AccessKey)
            throw new S3Error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");

        var hash = request.Headers["x-amz-content-sha256"].ToString();
        if (hash != "UNSIGNED-PAYLOAD" && hash != Hex(SHA256.HashData(body)))
            throw new S3Error(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.");
        var date = request.Headers["x-amz-date"].ToString();
        if (Math.Abs((DateTime.ParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal) - DateTime.UtcNow).TotalMinutes) > 15)
            throw new S3Error(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");

        var signed = parts["SignedHeaders"].Split(';');
        var canonical = string.Join(
            '\n',
            request.Method,
            request.HttpContext.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget.Split('?')[0],
            string.Join('&', request.Query.SelectMany(q => q.Value.Select(value => $"{Uri.EscapeDataString(q.Key)}={Uri.EscapeDataString(value ?? "")}")).Order(StringComparer.Ordinal)),
            string.Concat(signed.Select(name => $"{name}:{string.Join(',', request.Headers[name].Select(value => value!.Trim()))}\n")),
            parts["SignedHeaders"],
            hash);
        var key = scope[1].Split('/').Aggregate(Encoding.UTF8.GetBytes("AWS4" + SecretKey), Sign);
        var expected = Hex(Sign(key, $"{Algorithm}\n{date}\n{scope[1]}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}"));
        if (expected != parts["Signature"])
            throw new S3Error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.");
    }

    private static byte[] Sign(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
