using System.Globalization;
using Jobs.Runs;

namespace Jobs.Tests.Proof.Together;

/// <summary>Which jobs meet, and the number that all chance in their meeting comes from: JOBS_PROOF_SEED=number repeats it.</summary>
/// <remarks>
/// The number repeats the wishes, the delays and what happens at Stripe; not the machine, which is why a failure may take several
/// repetitions to come back.
/// </remarks>
internal sealed record Schedule(int Seed, IReadOnlyList<string> Jobs)
{
    private static readonly int? Only =
        int.TryParse(Environment.GetEnvironmentVariable("JOBS_PROOF_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : null;

    private const int TimesOfThePair = 1000;

    public static Schedule OfTwo(string first, string second, int time) => new(Number(first, second) + time, [first, second]);

    public static Schedule OfTwoAndOther(string twice, string other, int time) =>
        new(Number(twice, other) + (TimesOfThePair / 2) + time, [twice, twice, other]);

    public static Schedule OfMany(IReadOnlyList<string> jobs, int time) => new((99 * 100 * TimesOfThePair) + time, jobs);

    public bool IsWanted => Only is null || Only == Seed;

    /// <summary>A job that runs twice is not kept away by its lease.</summary>
    public bool HasTwice => Jobs.Distinct().Count() < Jobs.Count;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{string.Join(" with ", Jobs)}, JOBS_PROOF_SEED={Seed}");

    private static int Number(string first, string second) => ((Place(first) * 100) + Place(second)) * TimesOfThePair;

    private static int Place(string job) => Catalogue.Jobs.Select((definition, place) => (definition.Name, place)).Single(j => j.Name == job).place;
}
