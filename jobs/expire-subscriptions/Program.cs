using Jobs;
using Jobs.Billing;
using Jobs.Runs;

return await JobProgram.RunAsync<ExpireSubscriptions>(args, [RenewalNotice.Required]);
