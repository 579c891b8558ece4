using Jobs;
using Jobs.Mail;
using Jobs.Runs;

return await JobProgram.RunAsync<SendNotifications>(args, [SendNotifications.Connections], services => services.AddMail());
