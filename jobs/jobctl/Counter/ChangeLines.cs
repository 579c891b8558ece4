using System.Text;
using Jobs.Billing;
using Jobs.Runs;
using Microsoft.Win32.SafeHandles;

namespace Jobs.Counter;

/// <summary>For a program that follows: one line per change, there at once.</summary>
internal sealed class ChangeLines(BusinessZone zone, OutputFormat output) : IDisposable
{
    // .NET's own stdout keeps it to itself when nobody reads any more, and this would follow for ever.
    private readonly FileStream _stdout = new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);

    public async Task FollowAsync(IAsyncEnumerable<Sight> sights)
    {
        Sight? last = null;
        try
        {
            await foreach (var sight in sights)
            {
                await ShowAsync(last, sight);
                last = sight;
            }
        }
        catch (IOException)
        {
            // Whoever read has left.
        }
    }

    private async Task ShowAsync(Sight? last, Sight sight)
    {
        List<string> changes = last is null ? [Changes.Summary(sight.View)] : Changes.Between(last.View, sight.View);
        if (last is not null && (last.LostSince is null) != (sight.LostSince is null))
        {
            changes.Insert(0, sight.LostSince is { } since ? $"no connection since {Words.At(since, sight.At, zone)}: {sight.Error}" : "connected again");
        }

        if (changes.Count == 0)
        {
            return;
        }

        if (output == OutputFormat.Json)
        {
            await WriteAsync(CounterJson.Line(sight.View, sight.At, changes, sight.LostSince, sight.Error));
            return;
        }

        var time = Words.At(sight.At, sight.At, zone);
        await WriteAsync(Encoding.UTF8.GetBytes(string.Concat(changes.Select(change => $"{time} {change}\n"))));
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> lines)
    {
        await _stdout.WriteAsync(lines);
        await _stdout.FlushAsync();
    }

    public void Dispose() => _stdout.Dispose();
}
