using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<RecordPayment>(args, RecordPayment.Options);
