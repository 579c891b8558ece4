using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<MatchPendingPayments>(args);
