using Jobs.Billing;
using Jobs.Database;
using Jobs.Terminals;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Jobs.Runs;

/// <summary>
/// The business rules and the providers for a person at the operator's tool, the same that the jobs have. What they write bears the
/// person's name and no run; its "now" is the database's.
/// </summary>
public sealed class ToolServices : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly RunResult _silent;

    private ToolServices(ServiceProvider services, JobRun run, Db db, RunResult silent) =>
        (_services, _silent, Db, Origin) = (services, silent, db, run.Origin);

    public Db Db { get; }

    /// <summary>Of what the person writes.</summary>
    public Origin Origin { get; }

    /// <summary>Made when it is asked for: a provider whose variables are missing says so then.</summary>
    public T Get<T>()
        where T : notnull =>
        _services.GetRequiredService<T>();

    internal static async Task<ToolServices> OpenAsync(JobDefinition tool, JobOptions options, Settings settings, StopSignal stop, ProgramContext context, Db db, string person)
    {
        var silent = new RunResult(Stream.Null, tool.Name, OutputFormat.Text, items: false);
        var runOptions = new RunOptions { DryRun = db.ReadOnly };
        var run = new JobRun(Guid.CreateVersion7(), tool, runOptions, silent, stop, db, NullLogger.Instance, new Progress(context), person)
        {
            Now = await db.TransactionAsync(tx => tx.SingleAsync<DateTime>("SELECT clock_timestamp()"), stop.Stopping),
        };
        var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton(settings)
            .AddSingleton(options)
            .AddSingleton(runOptions)
            .AddSingleton(db)
            .AddSingleton(run)
            .AddSingleton<TerminalQueue>()
            .AddSingleton<AttemptResults>()
            .AddSingleton<ParkedMoney>()
            .AddMoney()
            .BuildServiceProvider();
        return new ToolServices(services, run, db, silent);
    }

    public async ValueTask DisposeAsync()
    {
        // Db given as an object stays the tool's.
        await _services.DisposeAsync();
        _silent.Dispose();
    }
}
