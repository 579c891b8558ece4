using Jobs.Billing;
using Jobs.Runs;

namespace Jobs;

public static class ExpireSubscriptionsProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<ExpireSubscriptions>(args, context, [RenewalNotice.Required]);
}
