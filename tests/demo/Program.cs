using System.Diagnostics;
using System.Globalization;
using Jobs.Demo;
using static Jobs.Demo.Story;

// Nothing outlives this process: the server and the provider end when it does, also when it is killed.
using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = !cancel.IsCancellationRequested;
    cancel.Cancel();
};

var clock = Stopwatch.StartNew();
Stage? stage = null;
try
{
    return await RunAsync().WaitAsync(cancel.Token);
}
catch (OperationCanceledException) when (cancel.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("demo: stopped; what it had started is being removed");
    return 130;
}
catch (Exception e)
{
    await Console.Error.WriteLineAsync($"demo: {e.Message}");
    return 1;
}
finally
{
    if (stage is not null)
        await stage.DisposeAsync();
}

async Task<int> RunAsync()
{
    Title("A small business, its customers' cards, and one bad morning");
    stage = await Stage.SetAsync(cancel.Token);
    var checks = new Checks();
    var business = new Business(DateTime.UtcNow);
    var history = new History(business);
    await Seeding.IntoDatabaseAsync(stage.Database, business, history);
    await Seeding.IntoProviderAsync(stage.Stripe, business, history);
    var shop = new Shop(business);
    await shop.IntoDatabaseAsync(stage.Database);
    await shop.IntoProviderAsync(stage.Stripe);
    await new Association(business).IntoDatabaseAsync(stage.Database);
    Tell("PostgreSQL", $"{stage.Server.Description}, thrown away at the end; the schema is made by the job migrate");
    Tell("Stripe", "an imitation on this machine, with its rate limit, its idempotency keys and its ways to fail");
    Tell("SumUp", "another one, with the two card readers of a counter");
    Tell("the jobs", "the published programs, under a login that may only read and write rows");
    Tell("the business", $"{Number(Business.Subscriptions)} subscriptions on {Business.Plans.Count} plans in EUR, USD and JPY, {Number(history.Payments.Count)} payments so far");

    Title("The morning: every job in the order of its schedule");
    await new Day(stage, business, checks).GoAsync();

    Title("Every job once more: nothing may change");
    await new SecondTime(stage, checks).GoAsync();

    Title("The books");
    await new Reconciliation(stage, checks).ShowAsync();
    Plain("");
    var page = Stage.RepositoryFile("artifacts/demo/report.html");
    var report = await stage.LookAsync("report", "--html", page);
    checks.That(report.ExitCode == 0, $"jobctl report: {report}");
    Plain($"  {Paint(page, "4")}  how every job stands, by jobctl report");
    Plain($"  {Paint(await stage.Mails.LeaveAsync(stage.Database), "4")}  a mail of each kind and language, and receipts");
    Plain($"  {Paint(Counter.Page, "4")}  the counter while two customers pay, by jobctl dashboard");
    Plain(string.Create(CultureInfo.InvariantCulture, $"  {clock.Elapsed.TotalSeconds:0} s in all"));
    foreach (var failure in checks.Failures)
        await Console.Error.WriteLineAsync($"demo: {failure}");
    return checks.Failures.Count == 0 ? 0 : 1;
}
