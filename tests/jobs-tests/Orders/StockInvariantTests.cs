using FsCheck;
using FsCheck.Fluent;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.FSharp.Core;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Orders;

/// <summary>
/// However paying, declining, canceling, refunding, selling, dying and any number of runs interleave: a product's counter is
/// the sum of its open reservations, no paid order expires, no stock is lost and none invented.
/// </summary>
public sealed class StockInvariantTests(PostgresFixture fixture)
{
    /// <summary>JOBS_INTERLEAVINGS asks for more than there is time for in every test run.</summary>
    private static readonly int Interleavings =
        int.TryParse(Environment.GetEnvironmentVariable("JOBS_INTERLEAVINGS"), System.Globalization.CultureInfo.InvariantCulture, out var n) ? n : 300;

    // A script is shrunk by leaving steps out.
    private static readonly Arbitrary<int[]> Scripts = Arb.From(
        Gen.Choose(0, 16 * 12 - 1).ArrayOf(16), script => Enumerable.Range(0, script.Length).Select(i => script.Where((_, at) => at != i).ToArray()));

    [Fact]
    public async Task The_stock_counter_is_the_sum_of_open_reservations_at_every_step_of_any_interleaving()
    {
        await using var world = await fixture.WorldAsync();
        // Few statements, thousands of times: planning each anew would take most of the time.
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(DatabaseUrl.Parse(world.Environment["DATABASE_URL"]!).ConnectionString) { MaxAutoPrepare = 50, AutoPrepareMinUsages = 2 });
        await using var db = new Db(source, readOnly: false, NullLogger<Db>.Instance);
        using var stop = new StopSignal(JobInProcess.Silent);
        using var result = new RunResult(Stream.Null, "expire-stale-orders", OutputFormat.Text, items: false);
        var run = Run(db, stop, result);

        var config = Config.QuickThrowOnFailure.WithMaxTest(Interleavings).WithQuietOnSuccess(true)
            .WithParallelRunConfig(FSharpOption<ParallelRunConfig>.Some(new ParallelRunConfig(6)));
        await Task.Run(() => Check.One(config, Prop.ForAll(Scripts, script => PlayAsync(source, db, run, script))));
    }

    private static async Task PlayAsync(NpgsqlDataSource source, Db db, JobRun run, int[] script)
    {
        using var shop = new ScriptedShop(source, db, run, script);
        await shop.PlayAsync();
    }

    private static JobRun Run(Db db, StopSignal stop, RunResult result) =>
        new(Guid.CreateVersion7(), Catalogue.Find("expire-stale-orders"), new RunOptions(), result, stop, db, NullLogger.Instance, new Progress(JobInProcess.Silent))
        {
            Now = DateTime.UtcNow,
        };
}
