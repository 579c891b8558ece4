using System.Net.Http.Json;
using System.Text.Json;

namespace Jobs.Tests.Rig;

/// <summary>The fake S3 as a process of its own on a free port, with a bucket `archive`. It dies with the test process.</summary>
public sealed class FakeS3Process : IAsyncDisposable
{
    public const string AccessKey = "fake-access-key";
    public const string SecretKey = "fake-secret-key";

    private readonly FakeProcess _process;

    private FakeS3Process(FakeProcess process) => _process = process;

    public Uri Base => _process.Base;

    /// <summary>An ARCHIVE_URL that leads here.</summary>
    public string Url => $"s3://archive/kept?endpoint={Base.ToString().TrimEnd('/')}";

    public static async Task<FakeS3Process> StartAsync() => new(await FakeProcess.StartAsync("fake-s3"));

    /// <summary>Gives a world the way here and the keys.</summary>
    public void OpenTo(JobWorld world)
    {
        world.Environment["ARCHIVE_URL"] = Url;
        world.Environment["AWS_ACCESS_KEY_ID"] = AccessKey;
        world.Environment["AWS_SECRET_ACCESS_KEY"] = SecretKey;
    }

    public Task ResetAsync() => _process.Control.PostAsync("reset", null);

    /// <summary>drop_before, drop_after, hang_before, hang_after, truncated_body, status:CODE, status_after:CODE.</summary>
    public async Task FaultAsync(string kind, int? nth = null, string? method = null)
    {
        using var response = await _process.Control.PostAsJsonAsync("faults", new { kind, nth, method });
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Also lets go of what hangs, and forgets the requests.</summary>
    public Task ClearFaultsAsync() => _process.Control.DeleteAsync("faults");

    public async Task<IReadOnlyList<string>> RequestsAsync() =>
        [.. (await StateAsync()).GetProperty("requests").EnumerateArray().Select(r => r.GetString()!)];

    /// <summary>Multipart uploads neither completed nor given up.</summary>
    public async Task<int> UploadsAsync() => (await StateAsync()).GetProperty("uploads").GetInt32();

    public Task HeldAsync() => Eventually.HoldsAsync(async () => (await StateAsync()).GetProperty("held").GetInt32() > 0, what: "a request is held");

    public async Task<IReadOnlyList<string>> KeysAsync() =>
        (await _process.Control.GetStringAsync("objects/archive")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public Task<byte[]> ReadAsync(string key) => _process.Control.GetByteArrayAsync($"objects/archive/{key}");

    public Task WriteAsync(string key, byte[] content) => _process.Control.PutAsync($"objects/archive/{key}", new ByteArrayContent(content));

    public Task DeleteAsync(string key) => _process.Control.DeleteAsync($"objects/archive/{key}");

    private Task<JsonElement> StateAsync() => _process.Control.GetFromJsonAsync<JsonElement>("state");

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
