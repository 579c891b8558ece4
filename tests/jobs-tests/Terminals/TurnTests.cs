using Jobs.Database;
using Jobs.Runs;
using Jobs.Terminals;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Jobs.Tests.Terminals;

public sealed class TurnTests(PostgresFixture fixture)
{
    [Fact]
    public async Task One_that_was_given_back_since_the_head_was_read_goes_first()
    {
        await using var counter = await CounterScene.OpenAsync(fixture, "A", "B");
        var first = await counter.QueueAsync("ada");
        var second = await counter.QueueAsync("bea");
        await using var source = counter.World.Source();
        await using var db = new Db(source);
        using var stop = new StopSignal(JobInProcess.Silent);
        using var result = new RunResult(Stream.Null, "process-payment-queue", OutputFormat.Text, items: false);
        var queue = new TerminalQueue(
            db, new JobRun(Guid.CreateVersion7(), Catalogue.Find("process-payment-queue"), new RunOptions(), result, stop, db, NullLogger.Instance, new Progress(JobInProcess.Silent)));
        var terminals = (await counter.World.QueryAsync("SELECT id FROM payment_terminals ORDER BY id")).Select(row => (long)row.id).ToList();

        var claimed = await queue.ClaimAsync((await queue.HeadAsync())!, terminals[0]);
        var head = (await queue.HeadAsync())!;
        await queue.GiveBackAsync(claimed!, "not_sent", "test", "available", null);

        Assert.Equal(second, head.PaymentId);
        Assert.Null(await queue.ClaimAsync(head, terminals[1]));
        Assert.Equal(first, (await queue.HeadAsync())!.PaymentId);
        Assert.NotNull(await queue.ClaimAsync((await queue.HeadAsync())!, terminals[1]));
        Assert.NotNull(await queue.ClaimAsync(head, terminals[0]));
    }
}
