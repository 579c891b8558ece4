using System.Globalization;

namespace Jobs.Bench;

/// <summary>A program that is run several times, in turn with those it is compared with: whatever else the machine did met all of them.</summary>
internal sealed class Contestant(string name, Func<Task<Measured>> run)
{
    private readonly List<Measured> _measured = [];

    public Contestant(string name, Func<Measured> run)
        : this(name, () => Task.FromResult(run()))
    {
    }

    public string Name => name;

    /// <summary>Milliseconds.</summary>
    public double Wall => Median(m => m.Wall.TotalMilliseconds);

    /// <summary>Milliseconds.</summary>
    public double Cpu => Median(m => m.Cpu.TotalMilliseconds);

    public double PeakMiB => Median(m => m.PeakMiB);

    public double MostMiB => _measured.Max(m => m.PeakMiB);

    public double Rate => Median(m => m.Rate);

    /// <summary>Milliseconds.</summary>
    public double CpuEach => Median(m => m.CpuEach.TotalMilliseconds);

    /// <param name="warmUps">Rounds that are not counted.</param>
    public static async Task InTurnAsync(string line, IReadOnlyList<Contestant> all, int rounds, int warmUps = 0)
    {
        for (var round = -warmUps; round < rounds; round++)
        {
            Progress.Say($"{line}: {(round < 0 ? "warming up" : string.Create(CultureInfo.InvariantCulture, $"round {round + 1} of {rounds}"))}");
            // Another one begins each round: nobody always comes after the same.
            var first = Math.Max(round, 0) % all.Count;
            foreach (var one in all.Skip(first).Concat(all.Take(first)))
            {
                await one.RunAsync(isCounted: round >= 0);
            }
        }
    }

    private async Task RunAsync(bool isCounted)
    {
        var measured = await run();
        if (isCounted)
            _measured.Add(measured);
    }

    private double Median(Func<Measured, double> figure) => Result.Median(_measured.Select(figure));
}

/// <summary>What a user would write instead, as it ran; null where there is none, or no interpreter.</summary>
internal sealed record Instead(Contestant? Sql, Contestant? Python, Contestant? Node)
{
    public IReadOnlyList<Contestant> All => [.. new[] { Sql, Python, Node }.OfType<Contestant>()];

    /// <summary>Ours over each of theirs.</summary>
    public Ratios Ratios(Contestant ours, Func<Contestant, double> figure)
    {
        double? Of(Contestant? theirs) => theirs is null ? null : figure(ours) / figure(theirs);
        return new(Of(Sql), Of(Python), Of(Node));
    }
}

internal sealed record Ratios(double? Sql, double? Python, double? Node)
{
    public static readonly Ratios None = new(null, null, null);
}
