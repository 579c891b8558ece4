using Jobs;
using Jobs.Billing;
using Jobs.Runs;

return await JobProgram.RunAsync<RenewalReminder>(args, [RenewalReminder.Days, RenewalNotice.Required]);
