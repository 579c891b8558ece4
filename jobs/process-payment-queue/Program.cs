using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<ProcessPaymentQueue>(args, ProcessPaymentQueue.Options, ProcessPaymentQueue.AddParts);
