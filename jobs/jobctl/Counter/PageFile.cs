using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Counter;

/// <summary>The page in its file. Whoever reads it finds the one before or the new one, never half of one.</summary>
internal sealed class PageFile
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    private readonly BusinessZone _zone;
    private readonly TimeSpan? _refresh;
    private readonly string? _business;
    private readonly Channel<Sight> _next = Channel.CreateBounded<Sight>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    public PageFile(string path, BusinessZone zone, TimeSpan? refresh, string? business)
    {
        (Path, _zone, _refresh, _business) = (HtmlFile.PathOf(path), zone, refresh, business);
    }

    public string Path { get; }

    /// <exception cref="OperatorException">The file cannot be written.</exception>
    public void Write(Sight sight) => HtmlFile.Write(Path, Page.Of(sight, _zone, _refresh, _business));

    /// <summary>Passes on what it sees and writes it besides, at most every 500 ms; nobody waits for the disk.</summary>
    public async IAsyncEnumerable<Sight> FollowAsync(IAsyncEnumerable<Sight> sights, ToolRun run, [EnumeratorCancellation] CancellationToken ended = default)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(ended);
        var writing = WriteAllAsync(run, ending.Token);
        try
        {
            await foreach (var sight in sights.WithCancellation(ended))
            {
                _next.Writer.TryWrite(sight);
                yield return sight;
            }
        }
        finally
        {
            await ending.CancelAsync();
            await writing;
        }
    }

    private async Task WriteAllAsync(ToolRun run, CancellationToken ended)
    {
        var failed = false;
        while (!ended.IsCancellationRequested)
        {
            try
            {
                Write(await _next.Reader.ReadAsync(ended));
                failed = false;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (OperatorException e)
            {
                if (!failed)
                {
                    await run.WarnAsync(e.Message);
                }

                failed = true;
            }

            await Task.Delay(Between, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
