using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Storage;

/// <summary>Where a store is, as a URL says it.</summary>
/// <param name="Path">The folder, or the prefix within the bucket: without "/" at either end.</param>
/// <param name="Bucket">Null: a folder.</param>
/// <param name="Region">Null: AWS_REGION.</param>
/// <param name="Endpoint">Of another service than Amazon's that speaks S3.</param>
internal sealed record StoreUrl(string Variable, string Path, string? Bucket = null, string? Region = null, Uri? Endpoint = null)
{
    private const string Forms = "file:///folder or s3://bucket/prefix?region=eu-west-3";

    public static StoreUrl Parse(string variable, string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url))
        {
            throw new OperatorException($"{variable} must be {Forms}");
        }

        if (url.UserInfo.Length > 0)
        {
            throw new OperatorException(
                $"{variable} must hold no credentials: an URL ends up in logs; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        }

        return url.Scheme switch
        {
            "file" => Folder(variable, url),
            "s3" => InBucket(variable, url),
            _ => throw new OperatorException($"{variable} must be {Forms}, not {url.Scheme}://"),
        };
    }

    private static StoreUrl Folder(string variable, Uri url) =>
        url.Host.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0
            ? new StoreUrl(variable, url.LocalPath.TrimEnd('/') is { Length: > 0 } path ? path : "/")
            : throw new OperatorException($"{variable} names a folder as file:///folder, with three slashes and without options");

    private static StoreUrl InBucket(string variable, Uri url)
    {
        if (url.Host.Length == 0)
        {
            throw new OperatorException($"{variable} names no bucket; it must be s3://bucket/prefix");
        }

        var store = new StoreUrl(variable, Uri.UnescapeDataString(url.AbsolutePath).Trim('/'), url.Host);
        foreach (var option in url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = option.Split('=', 2) is [var n, var v] ? (n, Uri.UnescapeDataString(v)) : (option, "");
            store = name switch
            {
                "region" when value.Length > 0 => store with { Region = value },
                "endpoint" => store with { Endpoint = EndpointOf(variable, value) },
                "region" => throw new OperatorException($"{variable}: region is empty"),
                _ => throw new OperatorException(
                    $"{variable}: '{name}' is not an option of an s3 URL; "
                    + (Suggestion.Nearest(name, ["region", "endpoint"]) is { } near ? $"did you mean {near}?" : "they are region and endpoint")),
            };
        }

        return store;
    }

    private static Uri EndpointOf(string variable, string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https" && endpoint.UserInfo.Length == 0
            ? endpoint
            : throw new OperatorException($"{variable}: endpoint must be http://host:port or https://host:port");
}
