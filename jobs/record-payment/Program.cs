using Jobs.Runs;

namespace Jobs;

public static class RecordPaymentProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<RecordPayment>(args, context, RecordPayment.Options);
}
