namespace Jobs;

/// <summary>Two ends of one pipe.</summary>
internal static class Both
{
    /// <summary>Waits for both; when one fails, the other is cancelled, and the first failure is what is told.</summary>
    public static async Task Async(Task one, Task other, CancellationTokenSource either)
    {
        var first = await Task.WhenAny(one, other);
        if (!first.IsCompletedSuccessfully)
        {
            await either.CancelAsync();
        }

        try
        {
            await Task.WhenAll(one, other);
        }
        catch (Exception) when (!first.IsCompletedSuccessfully)
        {
            await first;
        }
    }
}
