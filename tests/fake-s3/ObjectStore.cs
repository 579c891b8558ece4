using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Jobs.Testing.FakeS3;

/// <summary>Buckets in memory. An object is replaced as a whole; parts are no object until their upload is completed.</summary>
internal sealed class ObjectStore(IEnumerable<string> buckets)
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, StoredObject>> _buckets =
        new(buckets.Select(name => KeyValuePair.Create(name, Empty())), StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, Upload> _uploads = new(StringComparer.Ordinal);

    private static ConcurrentDictionary<string, StoredObject> Empty() => new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, StoredObject>? Bucket(string name) => _buckets.GetValueOrDefault(name);

    public int Uploads => _uploads.Count;

    public string Begin(string bucket, string key)
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        _uploads[id] = new Upload(bucket, key);
        return id;
    }

    public IEnumerable<(string Id, string Key)> UploadsOf(string bucket, string prefix) =>
        _uploads.Where(u => u.Value.Bucket == bucket && u.Value.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(u => (u.Key, u.Value.Key));

    public Upload? Find(string id) => _uploads.GetValueOrDefault(id);

    public bool End(string id) => _uploads.TryRemove(id, out _);

    public void Reset()
    {
        foreach (var bucket in _buckets.Values)
            bucket.Clear();
        _uploads.Clear();
    }
}

internal sealed record Upload(string Bucket, string Key)
{
    public ConcurrentDictionary<int, StoredObject> Parts { get; } = new();
}

internal sealed record StoredObject(byte[] Content, string ETag)
{
    public DateTime LastModified { get; } = DateTime.UtcNow;

#pragma warning disable CA5351 // An ETag is an MD5 by definition.
    public static StoredObject Of(byte[] content) => new(content, $"\"{Convert.ToHexStringLower(MD5.HashData(content))}\"");

    public static StoredObject Of(IReadOnlyList<StoredObject> parts) => new(
        [.. parts.SelectMany(part => part.Content)],
        $"\"{Convert.ToHexStringLower(MD5.HashData([.. parts.SelectMany(part => Convert.FromHexString(part.ETag.Trim('"')))]))}-{parts.Count}\"");
#pragma warning restore CA5351
}
