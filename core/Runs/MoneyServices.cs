using Jobs.Billing;
using Jobs.Stripe;
using Jobs.SumUp;
using Jobs.Terminals;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Jobs.Runs;

internal static class MoneyServices
{
    /// <summary>The business rules and the providers; each is made only when a job asks for it.</summary>
    public static IServiceCollection AddMoney(this IServiceCollection services) => services
        .AddSingleton(s => BusinessZone.From(s.GetRequiredService<Settings>()))
        .AddSingleton(s => RenewalPolicy.From(s.GetRequiredService<Settings>()))
        .AddSingleton(s => StripeAccount.Connect(
            s.GetRequiredService<Settings>(), s.GetRequiredService<RunOptions>(), s.GetRequiredService<ILogger<StripeClient>>()))
        .AddSingleton(s => SumUpAccount.Connect(
            s.GetRequiredService<Settings>(), s.GetRequiredService<RunOptions>(), s.GetRequiredService<ILogger<SumUpClient>>()))
        .AddSingleton<SubscriptionFulfilment>()
        .AddSingleton(s => new OrderFulfilment(s.GetRequiredService<BusinessZone>(), s.GetRequiredService<Settings>().Optional("STAFF_EMAIL")))
        .AddSingleton<MembershipFulfilment>()
        .AddSingleton<Granting>()
        .AddSingleton<PaymentService>()
        .AddSingleton<MembershipService>()
        .AddSingleton<Fulfilment>()
        .AddSingleton<Dunning>()
        .AddSingleton<Settlement>()
        .AddSingleton<IntentEnding>()
        .AddSingleton<OrderExpiry>()
        .AddSingleton<IntentSearch>()
        .AddSingleton<InvoiceTie>()
        .AddSingleton<Reversals>()
        .AddSingleton(s => new FallbackMode(s.GetRequiredService<Settings>().Optional("STAFF_EMAIL")))
        .AddSingleton(s => ProviderHealth.From(s.GetRequiredService<Settings>(), s.GetRequiredService<FallbackMode>()))
        .AddSingleton<TerminalFulfilment>()
        .AddSingleton(TimeProvider.System);
}
