using Jobs.Mail;
using Jobs.Runs;

namespace Jobs;

public static class SendNotificationsProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<SendNotifications>(args, context, [SendNotifications.Connections], services => services.AddMail());
}
