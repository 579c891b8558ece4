using System.Runtime.InteropServices;

namespace Jobs.Storage;

/// <summary>Files in a folder. A file is written beside its place, made durable and then moved there.</summary>
internal sealed class FolderStore(StoreUrl location) : FileStore
{
    private const int BufferSize = 64 * 1024;

    public override string UrlOf(string name) => new Uri(PathOf(name)).AbsoluteUri;

    public override async Task<long?> PutAsync(string name, Func<Stream, Task<bool>> write, CancellationToken cancellation)
    {
        MustExist();
        var path = PathOf(name);
        try
        {
            var folder = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            foreach (var part in folder.EnumerateFiles(Path.GetFileName(path) + ".*.part"))
            {
                RemoveIfLeft(part);
            }

            return await WriteAsync(path, write, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{UrlOf(name)} could not be written ({e.Message}); look for free space and the rights on the folder of {location.Variable}", e);
        }
    }

    // Not made by us: what is written where the disk should have been mounted is gone with the container.
    private void MustExist()
    {
        if (!Directory.Exists(location.Path))
        {
            throw new StoreException($"the folder {location.Path} of {location.Variable} does not exist; create it, or mount the disk that holds it");
        }
    }

    public override Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, CancellationToken cancellation)
    {
        MustExist();
        try
        {
            return Task.FromResult<IReadOnlyList<StoredFile>>(
            [
                .. new DirectoryInfo(location.Path).EnumerateFiles()
                    .Where(f => f.Name.StartsWith(prefix, StringComparison.Ordinal) && !f.Name.EndsWith(".part", StringComparison.Ordinal) && f.LinkTarget is null)
                    .OrderBy(f => f.Name, StringComparer.Ordinal)
                    .Select(f => new StoredFile(f.Name, f.Length)),
            ]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"the folder {location.Path} of {location.Variable} cannot be read ({e.Message}); look at the rights on it", e);
        }
    }

    public override Task DeleteAsync(string name, CancellationToken cancellation)
    {
        try
        {
            var path = PathOf(name);
            if (File.Exists(path))
            {
                File.Delete(path);
                MakeNamesDurable(path);
            }

            return Task.CompletedTask;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{UrlOf(name)} could not be removed ({e.Message}); look at the rights on the folder of {location.Variable}", e);
        }
    }

    public override Task<int> RemoveUnfinishedAsync(string name, CancellationToken cancellation)
    {
        var path = PathOf(name);
        return Task.FromResult(new DirectoryInfo(Path.GetDirectoryName(path)!).GetFiles(Path.GetFileName(path) + ".*.part").Count(RemoveIfLeft));
    }

    /// <summary>Of a run that was killed: one that lives holds its lock on it.</summary>
    private static bool RemoveIfLeft(FileInfo part)
    {
        try
        {
            using (part.Open(FileMode.Open, FileAccess.Write, FileShare.None))
            {
                part.Delete();
                return true;
            }
        }
        catch (IOException)
        {
            // Another run is at it.
            return false;
        }
    }

    private async Task<long?> WriteAsync(string path, Func<Stream, Task<bool>> write, CancellationToken cancellation)
    {
        var part = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            var length = await WriteLockedAsync(part, path, write, cancellation);
            if (length is not null)
            {
                MakeNamesDurable(path);
            }

            return length;
        }
        finally
        {
            File.Delete(part);
        }
    }

    private static async Task<long?> WriteLockedAsync(string part, string path, Func<Stream, Task<bool>> write, CancellationToken cancellation)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = BufferSize };
        if (!OperatingSystem.IsWindows())
        {
            // Rows of a database are nobody's business but the owner's and the group's.
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        }

        await using var file = new FileStream(part, options);
        if (!await write(file))
        {
            return null;
        }

        await file.FlushAsync(cancellation);
        file.Flush(flushToDisk: true);
        File.Move(part, path, overwrite: true);
        return file.Length;
    }

    public override async Task<Stream?> OpenAsync(string name, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, BufferSize);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return null;
            }
            catch (IOException e) when (e.HResult == Locked && attempt < MostAttempts)
            {
                // Another run has just given it this name, and lets go of it in a moment.
                await Task.Delay(50, cancellation);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new StoreException($"{UrlOf(name)} cannot be read ({e.Message}); look at the rights on it", e);
            }
        }
    }

    // EAGAIN: what flock says of a lock that somebody else has.
    private const int Locked = 11;
    private const int MostAttempts = 100;

    private string PathOf(string name) => Path.Combine(location.Path, name);

    /// <summary>A file's name is its folder's content, and a new folder's name that of the folder above.</summary>
    private void MakeNamesDurable(string path)
    {
        for (var folder = Path.GetDirectoryName(path)!; folder.Length >= location.Path.Length; folder = Path.GetDirectoryName(folder) ?? "")
        {
            var handle = open(folder, ReadOnly);
            var failed = handle < 0 || fsync(handle) != 0;
            var error = Marshal.GetLastPInvokeErrorMessage();
            if (handle >= 0)
            {
                _ = close(handle);
            }

            if (failed)
            {
                throw new IOException($"the folder {folder} could not be made durable: {error}");
            }
        }
    }

    private const int ReadOnly = 0;

    [DllImport("libc", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int open(string path, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int fsync(int file);

    [DllImport("libc")]
    private static extern int close(int file);
}
