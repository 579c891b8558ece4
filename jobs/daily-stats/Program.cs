using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

namespace Jobs;

public static class DailyStatsProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<DailyStats>(
            args, context,
            [Days.Date, Days.From, Days.To, Anomalies.MinVisits],
            parts => parts.AddSingleton<Days>().AddSingleton<Anomalies>());
}
