using Jobs.Billing;
using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

namespace Jobs;

public static class AutopaymentProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<Autopayment>(
            args, context,
            [ChargePlan.MaxCharges, ChargePlan.MaxAmount, RenewalNotice.Required],
            parts => parts.AddSingleton<DueSubscriptions>().AddSingleton<ChargePlan>().AddSingleton<Attempts>().AddSingleton<Charge>());
}
