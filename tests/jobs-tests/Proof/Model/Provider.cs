namespace Jobs.Tests.Proof.Model;

/// <summary>What the provider does when a request reaches it, and what customers and banks do there by themselves.</summary>
internal static class Provider
{
    public static readonly Intention[] Outcomes = [Intention.Succeeded, Intention.Declined, Intention.RequiresAction, Intention.Processing];

    /// <summary>The PaymentIntent whose answer is saved under the key; -1: the key is new, or was forgotten after 24 hours.</summary>
    public static int Saved(World world, int key)
    {
        for (var i = world.Intents.Length - 1; i >= 0; i--)
        {
            if (world.Intents[i].Key == key)
                return world.Now - world.Intents[i].CreatedAt < Rules.ProviderForgetsKey ? i : -1;
        }

        return -1;
    }

    /// <summary>A new PaymentIntent and the first attempt to take the money: what the bank says of it.</summary>
    public static World Create(World world, int attempt, int key, Intention outcome) => world with
    {
        Intents = world.Intents.Add(new Intent(
            world.Attempts[attempt].Subscription, attempt, key, outcome, outcome, world.Now, outcome == Intention.Succeeded ? world.Now : -1)),
    };

    /// <summary>The customer pays on it, or the bank that was processing says yes.</summary>
    public static World Succeed(World world, int intent) =>
        world.With(intent, world.Intents[intent] with { Status = Intention.Succeeded, SucceededAt = world.Now });

    public static World Move(World world, int intent, Intention status) => world.With(intent, world.Intents[intent] with { Status = status });
}
