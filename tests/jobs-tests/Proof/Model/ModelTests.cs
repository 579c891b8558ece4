using Xunit;

namespace Jobs.Tests.Proof.Model;

/// <summary>
/// Every state of a small model of the four jobs, the provider, the network and the clock, within so many moves of the beginning: nobody is
/// charged twice, nothing that was paid is lost, nothing stays in flight. And the checker can fail: each wrong variant of the rules is found.
/// </summary>
[Trait("Category", "Proof")]
public sealed class ModelTests
{
    [Fact]
    public void No_state_of_one_subscription_breaks_a_promise() => Hold(new Scope(), Evidence.Full ? 12 : 10);

    [Fact]
    public void No_state_of_two_subscriptions_of_one_customer_breaks_a_promise() =>
        Hold(new Scope(Subscriptions: 2, Runs: 2, Attempts: 3, ClockSteps: 1) { Hours = [1, 26], Application = false }, Evidence.Full ? 12 : 9);

    [Fact]
    public void No_state_of_a_run_at_a_time_breaks_a_promise_over_many_days() =>
        Hold(new Scope(Runs: 1, Attempts: 4, ClockSteps: 4), Evidence.Full ? 11 : 8);

    private static void Hold(Scope scope, int depth)
    {
        var exploration = Explorer.Explore(scope, Variant.Right, depth);
        TestContext.Current.TestOutputHelper?.WriteLine(exploration.ToString());
        Assert.True(exploration.Story is null, exploration.Story);
        Assert.True(exploration.States > 10_000, exploration.ToString());
    }

    public static TheoryData<string> Wrong => [.. Enum.GetNames<Variant>().Where(name => name != nameof(Variant.Right))];

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_wrong_variant_of_the_rules_is_found(string variant)
    {
        var exploration = Explorer.Explore(new Scope(), Enum.Parse<Variant>(variant), depth: 10);
        TestContext.Current.TestOutputHelper?.WriteLine($"{exploration}\n{exploration.Story}");
        Assert.NotNull(exploration.Story);
    }
}
