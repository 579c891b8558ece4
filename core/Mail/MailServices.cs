using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

namespace Jobs.Mail;

public static class MailServices
{
    /// <summary>What a job needs that delivers mail.</summary>
    public static IServiceCollection AddMail(this IServiceCollection services) => services
        .AddSingleton(s => MailSettings.Of(s.GetRequiredService<Settings>()))
        .AddSingleton<MailComposer>()
        .AddSingleton<MailOutbox>();
}
