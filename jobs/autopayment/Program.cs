using Jobs;
using Jobs.Billing;
using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

return await JobProgram.RunAsync<Autopayment>(
    args,
    [ChargePlan.MaxCharges, ChargePlan.MaxAmount, RenewalNotice.Required],
    parts => parts.AddSingleton<DueSubscriptions>().AddSingleton<ChargePlan>().AddSingleton<Attempts>().AddSingleton<Charge>());
