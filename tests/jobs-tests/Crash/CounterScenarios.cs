using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Jobs.Tests.Terminals;

namespace Jobs.Tests.Crash;

/// <summary>
/// A payment whose request may have left is never sent again, so the end may be another than undisturbed (not paid instead of
/// paid); what must hold is that the books and SumUp's ledger agree.
/// </summary>
internal static class CounterScenarios
{
    /// <summary>Two readers, of which one declines its first card, and three who want to pay.</summary>
    public static readonly Scenario Queue = new("process-payment-queue", "process-payment-queue", [("approved", 2), ("declined", 1)], SeedAsync)
    {
        Args = [],
        Outside = world => new SumUpCalls(world.The<SumUpMerchant>()),
        Varies = true,
        Open = "EXISTS (SELECT FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown'))",
        Judge = (world, _) => new CounterScene(world, world.The<SumUpMerchant>()).SettledAsync(),
    };

    private static async Task SeedAsync(JobWorld world)
    {
        await world.SeedDeskAsync();
        var counter = await CounterScene.OpenInAsync(world, "A", "B");
        world.With(counter.Merchant);
        await counter.Merchant.ScriptAsync("A", new { outcome = "decline" });
        foreach (var payer in new[] { "ada", "bea", "cyd" })
            await counter.QueueAsync(payer);
    }
}
