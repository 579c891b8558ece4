using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<ExpirePayments>(args, [ExpirePayments.OlderThan]);
