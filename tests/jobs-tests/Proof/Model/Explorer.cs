using System.Diagnostics;
using System.Globalization;

namespace Jobs.Tests.Proof.Model;

/// <param name="Story">The shortest way to the violation; null when there is none.</param>
/// <param name="Exhausted">There was nothing beyond: every state within the scope was reached.</param>
internal sealed record Exploration(long States, long Transitions, int Depth, bool Exhausted, TimeSpan Took, string? Story)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{States:N0} states, {Transitions:N0} transitions, depth {Depth}{(Exhausted ? " (all)" : "")}, {Took.TotalSeconds:0.0} s");
}

/// <summary>Every state within so many moves of the beginning, breadth first, each of them held to all promises.</summary>
internal static class Explorer
{
    public static Exploration Explore(Scope scope, Variant variant, int depth)
    {
        var clock = Stopwatch.StartNew();
        var moves = new Moves(scope, variant);
        var promises = new Promises(moves);
        var start = World.Of(scope.Subscriptions);
        var seen = new HashSet<UInt128> { start.Print() };
        var cameBy = new List<(int From, Move Move)> { (-1, default) };
        var layer = new List<(World World, int Node)> { (start, 0) };
        var transitions = 0L;
        var reached = 0;
        while (reached < depth && layer.Count > 0)
        {
            var next = new List<(World, int)>();
            foreach (var (world, node) in layer)
            {
                foreach (var (move, after) in moves.From(world))
                {
                    transitions++;
                    var isNew = seen.Add(after.Print());
                    var broken = Promises.BrokenBy(world, after) ?? (isNew ? promises.BrokenFrom(after) : null);
                    if (broken is not null)
                        return new(seen.Count, transitions, reached + 1, Exhausted: false, clock.Elapsed, Tell(moves, start, cameBy, node, move, broken));
                    if (!isNew)
                        continue;
                    cameBy.Add((node, move));
                    next.Add((after, cameBy.Count - 1));
                }
            }

            layer = next;
            reached++;
        }

        return new(seen.Count, transitions, reached, layer.Count == 0, clock.Elapsed, Story: null);
    }

    private static string Tell(Moves moves, World start, List<(int From, Move Move)> cameBy, int node, Move last, string broken)
    {
        var path = new Stack<Move>([last]);
        for (var at = node; at > 0; at = cameBy[at].From)
            path.Push(cameBy[at].Move);
        var story = new List<string>();
        var (before, world) = (start, start);
        foreach (var move in path)
        {
            story.Add(string.Create(CultureInfo.InvariantCulture, $"{story.Count + 1,2}. {world.Now} h: {move.Tell(world)}"));
            (before, world) = (world, moves.From(world).First(next => next.Move == move).World);
        }

        if (Promises.BrokenBy(before, world) is null)
        {
            story.Add("    from then on nothing goes wrong, and:");
            new Promises(moves).BrokenFrom(world, story);
        }

        return $"{broken}:\n{string.Join('\n', story)}";
    }
}
