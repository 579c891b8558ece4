using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<ExpireStaleOrders>(args);
