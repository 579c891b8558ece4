using Jobs;
using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

return await JobProgram.RunAsync<DailyStats>(
    args,
    [Days.Date, Days.From, Days.To, Anomalies.MinVisits],
    parts => parts.AddSingleton<Days>().AddSingleton<Anomalies>());
