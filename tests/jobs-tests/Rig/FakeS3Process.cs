using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace Jobs.Tests.Rig;

/// <summary>The fake S3 as a process of its own on a free port, with a bucket `archive`. It dies with the test process.</summary>
public sealed class FakeS3Process : IAsyncDisposable
{
    public const string AccessKey = "fake-access-key";
    public const string SecretKey = "fake-secret-key";

    private readonly Process _process;
    private readonly HttpClient _control;

    private FakeS3Process(Process process, Uri address)
    {
        (_process, Base) = (process, address);
        _control = new HttpClient { BaseAddress = new Uri(address, "/_fake/") };
    }

    public Uri Base { get; }

    /// <summary>An ARCHIVE_URL that leads here.</summary>
    public string Url => $"s3://archive/kept?endpoint={Base.ToString().TrimEnd('/')}";

    public static async Task<FakeS3Process> StartAsync()
    {
        var start = new ProcessStartInfo(Program()) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        start.ArgumentList.Add("--exit-with-stdin");
        var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var line = await process.StandardOutput.ReadLineAsync(limit.Token);
        return line is not null && line.StartsWith("listening on ", StringComparison.Ordinal)
            ? new FakeS3Process(process, new Uri(line["listening on ".Length..]))
            : throw new InvalidOperationException($"fake-s3 did not start: {line}");
    }

    /// <summary>Gives a world the way here and the keys.</summary>
    public void OpenTo(JobWorld world)
    {
        world.Environment["ARCHIVE_URL"] = Url;
        world.Environment["AWS_ACCESS_KEY_ID"] = AccessKey;
        world.Environment["AWS_SECRET_ACCESS_KEY"] = SecretKey;
    }

    public Task ResetAsync() => _control.PostAsync("reset", null);

    /// <summary>drop_before, drop_after, hang_before, hang_after, truncated_body, status:CODE, status_after:CODE.</summary>
    public async Task FaultAsync(string kind, int? nth = null, string? method = null)
    {
        using var response = await _control.PostAsJsonAsync("faults", new { kind, nth, method });
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Also lets go of what hangs, and forgets the requests.</summary>
    public Task ClearFaultsAsync() => _control.DeleteAsync("faults");

    public async Task<IReadOnlyList<string>> RequestsAsync() =>
        [.. (await StateAsync()).GetProperty("requests").EnumerateArray().Select(r => r.GetString()!)];

    /// <summary>Multipart uploads neither completed nor given up.</summary>
    public async Task<int> UploadsAsync() => (await StateAsync()).GetProperty("uploads").GetInt32();

    public async Task HeldAsync()
    {
        for (var end = DateTime.UtcNow.AddSeconds(60); (await StateAsync()).GetProperty("held").GetInt32() == 0;)
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException("no request came to be held");
            await Task.Delay(10);
        }
    }

    public async Task<IReadOnlyList<string>> KeysAsync() =>
        (await _control.GetStringAsync("objects/archive")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public Task<byte[]> ReadAsync(string key) => _control.GetByteArrayAsync($"objects/archive/{key}");

    public Task WriteAsync(string key, byte[] content) => _control.PutAsync($"objects/archive/{key}", new ByteArrayContent(content));

    public Task DeleteAsync(string key) => _control.DeleteAsync($"objects/archive/{key}");

    private Task<JsonElement> StateAsync() => _control.GetFromJsonAsync<JsonElement>("state");

    public async ValueTask DisposeAsync()
    {
        _control.Dispose();
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static string Program()
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory).Name;
        return new[] { own, "debug", "release" }
            .Select(configuration => PostgresFixture.RepositoryFile($"artifacts/bin/fake-s3/{configuration}/fake-s3"))
            .FirstOrDefault(File.Exists) ?? throw new FileNotFoundException("no fake-s3 program: build tests/fake-s3");
    }
}
