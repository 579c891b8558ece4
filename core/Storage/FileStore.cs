using Jobs.Runs;

namespace Jobs.Storage;

/// <summary>
/// A place where files go: a folder (`file:///path`) or a bucket (`s3://bucket/prefix`). Files have names with "/" between
/// their parts, and are there whole or not at all, however a run ends. What fails is a <see cref="StoreException"/>.
/// </summary>
public abstract class FileStore : IDisposable
{
    /// <param name="variable">The variable that holds the URL, for what is said of it.</param>
    /// <param name="url">file:///folder or s3://bucket/prefix?region=eu-west-3&amp;endpoint=http://127.0.0.1:9000.</param>
    /// <param name="settings">Where the credentials are.</param>
    /// <exception cref="OperatorException">The URL or a credential is missing or wrong; nothing has been asked of the store.</exception>
    public static FileStore Open(string variable, string url, Settings settings)
    {
        var location = StoreUrl.Parse(variable, url);
        return location.Bucket is null ? new FolderStore(location) : new S3Store(location, settings);
    }

    /// <summary>The file's own URL, without options; it tells two stores apart.</summary>
    public abstract string UrlOf(string name);

    /// <summary>
    /// Writes a file in one stream, of any length, in bounded memory. It comes to stand there, in the place of one of the same
    /// name, when <paramref name="write"/> is through and said true; on false, or when it throws, nothing changes.
    /// Safe to repeat.
    /// </summary>
    /// <returns>The length in bytes, or null on false.</returns>
    public abstract Task<long?> PutAsync(string name, Func<Stream, Task<bool>> write, CancellationToken cancellation);

    /// <returns>The file's content, or null when there is no such file. A connection lost while it is read is an <see cref="IOException"/>.</returns>
    public abstract Task<Stream?> OpenAsync(string name, CancellationToken cancellation);

    /// <summary>The whole files whose names begin so, by name. In a folder: those that lie in it, not below.</summary>
    public abstract Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, CancellationToken cancellation);

    /// <summary>Removes a file; none of that name is as good.</summary>
    public abstract Task DeleteAsync(string name, CancellationToken cancellation);

    /// <summary>Removes what a writer of this file left behind that was killed. Of one that lives it may take the work away.</summary>
    /// <returns>How many of its attempts there were.</returns>
    public abstract Task<int> RemoveUnfinishedAsync(string name, CancellationToken cancellation);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>A file as its store lists it.</summary>
public sealed record StoredFile(string Name, long Length);
