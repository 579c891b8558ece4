using Jobs.Runs;

namespace Jobs;

public static class ProcessPaymentQueueProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<ProcessPaymentQueue>(args, context, ProcessPaymentQueue.Options, ProcessPaymentQueue.AddParts);
}
