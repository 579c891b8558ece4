using System.CommandLine;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Jobs.Database;
using Jobs.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Serilog;

namespace Jobs.Runs;

/// <summary>What every job's Program.cs calls: parse, begin the run, do the work, record the end, exit 0 or 1.</summary>
public static class JobProgram
{
    public static readonly string Version =
        typeof(JobProgram).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Runs the job named as the entry assembly is.</summary>
    /// <param name="context">Where its settings come from and its words go.</param>
    /// <param name="options">The job's own, besides those that every job has.</param>
    /// <param name="services">The job's own parts that its constructor asks for.</param>
    /// <param name="outsideLedger">Whether what is asked for is no run of the job: no lease, no row, and no need of its tables.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TJob>(
        string[] args, ProgramContext context, JobOption[]? options = null, Action<IServiceCollection>? services = null, Func<JobOptions, bool>? outsideLedger = null)
        where TJob : class, IJob =>
        RunAsync(
            args,
            context,
            Catalogue.Find(typeof(TJob).Assembly.GetName().Name!),
            options ?? [],
            all =>
            {
                all.AddSingleton<IJob, TJob>();
                services?.Invoke(all);
            },
            outsideLedger);

    private static async Task<int> RunAsync(
        string[] args, ProgramContext context, JobDefinition job, JobOption[] options, Action<IServiceCollection> services, Func<JobOptions, bool>? outsideLedger)
    {
        var clock = Stopwatch.StartNew();
        using var stop = new StopSignal(context);
        var command = new JobCommand(job, options);
        var parsed = command.Parse(args);
        var settings = new Settings(context.Variables);
        var redaction = new Redaction(settings);
        RunResult? result = null;
        RunTelemetry? telemetry = null;
        RunOptions? common = null;
        var runId = Guid.CreateVersion7();
        try
        {
            if (command.HelpOrVersion(parsed, context.Output) is { } exit)
            {
                return exit;
            }

            command.Check(parsed);
            var values = command.Read(parsed, settings);
            common = ReadCommon(values, settings, job);
            if (outsideLedger?.Invoke(values) == true)
            {
                job = job with { Kind = JobKind.Tool };
            }

            // Who asks for one thing wants to read what became of it.
            var onDemand = job.Kind is JobKind.OnDemand or JobKind.Tool;
            result = new RunResult(context.OpenOutput(), job.Name, common.Output, common.Items || common.DryRun || onDemand, itemLines: onDemand)
            {
                AsOf = common.AsOf,
                DryRun = common.DryRun,
                Shard = common.Shard,
            };
            telemetry = RunTelemetry.Of(settings, job, common, runId);
            return await RunAsync(context, job, common, runId, values, settings, redaction, result, stop, clock, telemetry, services);
        }
        catch (Exception e)
        {
            if (!Failures.IsPlain(e))
            {
                await context.Error.WriteLineAsync(redaction.Strike(e.ToString()));
            }

            var sentence = redaction.Strike(Failures.Sentence(e));
            await context.Error.WriteLineAsync($"{job.Name}: {sentence}");
            result ??= AsksForJson(parsed, settings) ? new RunResult(context.OpenOutput(), job.Name, OutputFormat.Json, items: false) : null;
            result?.Finish(RunStatus.Failed, clock.Elapsed, new Counters(), sentence);
            TerminationMessage.Leave(settings, $"{job.Name}: {sentence}");
            if (telemetry is not null)
            {
                await TellAsync(context, telemetry, common!, stop.TimeLeft, new RunEnd
                {
                    Job = job,
                    RunId = runId,
                    Status = RunStatus.Failed,
                    ExitCode = 1,
                    StartedAt = DateTime.UtcNow - clock.Elapsed,
                    Duration = clock.Elapsed,
                    Line = $"{job.Name}: {sentence}",
                });
            }

            return 1;
        }
        finally
        {
            result?.Dispose();
        }
    }

    /// <summary>Of a run that did not come as far as its log, nor to the database.</summary>
    private static async Task TellAsync(ProgramContext context, RunTelemetry telemetry, RunOptions options, TimeSpan within, RunEnd end)
    {
        foreach (var warning in await telemetry.EndAsync(end with { Shard = options.Shard, Partial = options.Partial }, null, within))
        {
            await context.Error.WriteLineAsync($"{end.Job.Name}: not told: {warning}");
        }
    }

    private static async Task<int> RunAsync(
        ProgramContext context, JobDefinition job, RunOptions options, Guid runId, JobOptions values, Settings settings, Redaction redaction, RunResult result,
        StopSignal stop, Stopwatch clock, RunTelemetry? telemetry, Action<IServiceCollection> services)
    {
        await using var database = Connect(job, settings);
        // Meanwhile the rest is set up: together they are most of the time that a run takes which finds nothing to do.
        var connection = Task.Run(() => database.OpenConnectionAsync().AsTask());
        await using var logger = Logging.Create(job.Name, runId, settings, redaction, context);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddSerilog(logger);
        builder.Services
            .AddSingleton(context)
            .AddSingleton(settings)
            .AddSingleton(values)
            .AddSingleton(options)
            .AddSingleton(database)
            .AddSingleton(s => new Db(database, options.DryRun, s.GetRequiredService<ILogger<Db>>(), connection))
            .AddSingleton(s => new JobRun(
                runId, job, options, result, stop, s.GetRequiredService<Db>(), s.GetRequiredService<ILoggerFactory>().CreateLogger(job.Name), new Progress(context)))
            .AddSingleton<JobCursor>()
            .AddMoney();
        services(builder.Services);
        using var host = builder.Build();
        var run = host.Services.GetRequiredService<JobRun>();
        var db = host.Services.GetRequiredService<Db>();
        var ledger = new RunLedger(db, job, options, runId, settings);
        result.RunId = runId;
        stop.StopAfter(options.Timeout);
        return await new RunCycle(run, ledger, result, stop, redaction, clock, settings, db, telemetry).GoAsync(host.Services.GetRequiredService<IJob>);
    }

    private static RunOptions ReadCommon(JobOptions values, Settings settings, JobDefinition job)
    {
        var options = new RunOptions
        {
            DryRun = values.Get(RunOptions.DryRunOption),
            AsOf = values.Get(RunOptions.AsOfOption),
            Only = values.Get(RunOptions.OnlyOption),
            Limit = values.Get(RunOptions.LimitOption),
            BatchSize = values.Get(RunOptions.BatchSizeOption),
            Shard = values.Get(RunOptions.ShardOption) ?? RunOptions.ShardFromIndexedJob(settings),
            Timeout = values.Get(RunOptions.TimeoutOption) ?? job.Timeout,
            Output = values.Get(RunOptions.OutputOption),
            Items = values.Get(RunOptions.ItemsOption),
        };
        if (options.AsOf is not null && job.MovesMoney && settings.Production && !options.DryRun)
        {
            throw new OperatorException(
                "--as-of is refused in production: receipts are numbered in the order of time, and charges belong to today; use --dry-run to look at another day");
        }

        return options;
    }

    /// <param name="alter">What this one connection needs besides.</param>
    internal static NpgsqlDataSource Connect(JobDefinition job, Settings settings, Action<NpgsqlConnectionStringBuilder>? alter = null)
    {
        var connection = DatabaseUrl.Parse(settings.Required(
            "DATABASE_URL", "the PostgreSQL to work on, such as postgresql://user:password@host:5432/database"));
        connection.ApplicationName ??= job.Name;
        // Of several hosts that are all down for a moment, each is asked again at every attempt.
        connection.HostRecheckSeconds = 0;
        alter?.Invoke(connection);
        // The slim one knows PostgreSQL's ordinary types; all that it could know would cost every start some hundred generic types.
        var source = new NpgsqlSlimDataSourceBuilder(connection.ConnectionString);
        source.EnableTransportSecurity().EnableArrays();
        // The types used are PostgreSQL's own: reading its catalogue at every start would double the time to connect.
        source.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
        return source.Build();
    }

    /// <summary>For a mistake found before the options could be read.</summary>
    internal static bool AsksForJson(ParseResult parsed, Settings settings)
    {
        try
        {
            return (parsed.GetResult(RunOptions.OutputOption.CommandLineOption)?.Tokens is [var form, ..]
                ? form.Value
                : settings.Optional(RunOptions.OutputOption.EnvironmentVariable)) == "json";
        }
        catch (OperatorException)
        {
            return false;
        }
    }
}
