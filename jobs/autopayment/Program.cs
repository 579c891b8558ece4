using Jobs;
using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

return await JobProgram.RunAsync<Autopayment>(
    args,
    [ChargePlan.MaxCharges, ChargePlan.MaxAmount],
    parts => parts.AddSingleton<DueSubscriptions>().AddSingleton<ChargePlan>().AddSingleton<Attempts>().AddSingleton<Charge>());
