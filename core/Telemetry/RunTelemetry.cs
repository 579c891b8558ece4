using System.Diagnostics;
using System.Net.Sockets;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>
/// What a run tells the world beside its result: textfile, Pushgateway, Healthchecks, OpenTelemetry. All of it at once when the run's
/// work is done and recorded, for 5 s at most whatever does not answer, and never of any consequence to the run.
/// </summary>
/// <remarks>A dry run tells nobody. A run that was skipped tells Healthchecks alone, in the check's log.</remarks>
internal sealed class RunTelemetry
{
    public static readonly TimeSpan MostTime = TimeSpan.FromSeconds(5);
    public const string NoAnswer = "it did not answer in time";

    // What the database has to say must leave time to tell it.
    private static readonly TimeSpan MostTimeToRead = TimeSpan.FromSeconds(2);

    private readonly TelemetrySettings _told;
    private readonly Settings _settings;
    private readonly JobDefinition _job;
    private readonly RunOptions _options;
    private readonly Guid _run;
    private readonly Textfile? _textfile;
    private readonly Pushgateway? _pushgateway;
    private readonly Healthchecks? _healthchecks;
    private readonly Task<OtlpExport>? _otlp;
    private readonly List<string> _warnings = [];
    private Task _startTold = Task.CompletedTask;
    private Activity? _span;
    private int _ended;

    private RunTelemetry(TelemetrySettings told, Settings settings, JobDefinition job, RunOptions options, Guid run)
    {
        (_told, _settings, _job, _options, _run) = (told, settings, job, options, run);
        _textfile = told.TextfileFolder is { } folder ? new Textfile(folder) : null;
        _pushgateway = told.Pushgateway is { } gateway ? new Pushgateway(gateway) : null;
        _healthchecks = told.Healthchecks is { } url && Healthchecks.Watches(job) ? new Healthchecks(url) : null;
        _otlp = told.Collector is null ? null : Task.Run(() => new OtlpExport(told, job, run));
        _warnings.AddRange(told.Mistakes);
    }

    /// <returns>Null where nobody is to be told.</returns>
    public static RunTelemetry? Of(Settings settings, JobDefinition job, RunOptions options, Guid run) =>
        !options.DryRun && TelemetrySettings.From(settings) is { } told ? new RunTelemetry(told, settings, job, options, run) : null;

    public async Task ReadyAsync()
    {
        try
        {
            await (_otlp ?? Task.CompletedTask);
        }
        catch (Exception e)
        {
            Warn("OTEL_EXPORTER_OTLP_ENDPOINT", e);
        }
    }

    /// <summary>The run has its lease and begins. Nobody is waited for.</summary>
    public void Begin()
    {
        // Not in an async method: what runs within it is to be a part of it.
        _span = _otlp is null ? null : Spans.Run(_job, _run, _options.Shard);
        if (_healthchecks is not null)
        {
            _startTold = Task.Run(() => TryAsync("HEALTHCHECKS_URL", token => _healthchecks.StartAsync(_job, _options.Shard, _run, token), CancellationToken.None));
        }
    }

    /// <param name="db">Null where it cannot be asked.</param>
    /// <param name="within">Of <see cref="MostTime"/>, what is left.</param>
    /// <returns>What did not work, a sentence each, without secrets.</returns>
    public async Task<IReadOnlyList<string>> EndAsync(RunEnd end, Db? db, TimeSpan within)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 1)
        {
            return [];
        }

        _span?.SetTag("job.status", RunResult.Text(end.Status)).SetTag("job.partial", end.Partial);
        _span?.SetStatus(end.ExitCode == 0 ? ActivityStatusCode.Ok : ActivityStatusCode.Error).Dispose();
        within = within < MostTime ? within : MostTime;
        using var patience = new CancellationTokenSource(within);
        // Each on a thread of its own choosing: a folder on a dead file server blocks whoever touches it.
        var sinks = Sinks(end, db, within).Select(sink => (sink.Name, Told: Task.Run(() => TryAsync(sink.Name, sink.TellAsync, patience.Token)))).ToList();
        await Task.WhenAny(Task.WhenAll(sinks.Select(sink => sink.Told)), Task.Delay(within));
        lock (_warnings)
        {
            _warnings.AddRange(sinks.Where(sink => !sink.Told.IsCompleted).Select(sink => $"{sink.Name}: {NoAnswer}"));
            return [.. _warnings.Distinct()];
        }
    }

    private IEnumerable<(string Name, Func<CancellationToken, Task> TellAsync)> Sinks(RunEnd end, Db? db, TimeSpan within)
    {
        if (_healthchecks is { } healthchecks)
        {
            yield return ("HEALTHCHECKS_URL", token => PingAsync(healthchecks, end, token));
        }

        if (end.Status == RunStatus.Skipped)
        {
            yield break;
        }

        var known = new Lazy<Task<Known>>(() => ReadAsync(end, db, within));
        if (_textfile is { } textfile)
        {
            yield return ("METRICS_TEXTFILE_DIR", _ => WriteAsync(textfile, end, known));
        }

        if (_pushgateway is { } pushgateway)
        {
            yield return ("PUSHGATEWAY_URL", token => PushAsync(pushgateway, end, known, token));
        }

        if (_otlp is { } otlp)
        {
            yield return ("OTEL_EXPORTER_OTLP_ENDPOINT", _ => ExportAsync(otlp, end, known, within));
        }
    }

    private async Task PingAsync(Healthchecks healthchecks, RunEnd end, CancellationToken cancellation)
    {
        await _startTold;
        await healthchecks.EndAsync(end, cancellation);
    }

    private async Task WriteAsync(Textfile textfile, RunEnd end, Lazy<Task<Known>> known)
    {
        var (success, ofAll) = await known.Value;
        var name = Textfile.NameOf(_job, end.Shard);
        textfile.Write(name, RunMetrics.Of(end, success ?? (end.IsWholeSuccess ? null : textfile.LastSuccess(name))).All, _run);
        if (ofAll is not null)
        {
            textfile.Write(Textfile.NameOfAll, ofAll, _run);
        }
    }

    private async Task PushAsync(Pushgateway pushgateway, RunEnd end, Lazy<Task<Known>> known, CancellationToken cancellation)
    {
        var (success, ofAll) = await known.Value;
        await Task.WhenAll(
            pushgateway.PushAsync(_job, end.Shard, RunMetrics.Of(end, success), cancellation),
            ofAll is null ? Task.CompletedTask : pushgateway.PushAsync(ofAll, cancellation));
    }

    private async Task ExportAsync(Task<OtlpExport> otlp, RunEnd end, Lazy<Task<Known>> known, TimeSpan within)
    {
        var clock = Stopwatch.StartNew();
        var export = await otlp;
        var (success, ofAll) = await known.Value;
        // It blocks: not a thread of the pool, which the others need.
        var flushed = Task.Factory.StartNew(
            () => export.Flush([.. RunMetrics.Of(end, success).All, .. ofAll ?? []], within - clock.Elapsed),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (await flushed is { } trouble)
        {
            Warn("OTEL_EXPORTER_OTLP_ENDPOINT", trouble);
        }
    }

    /// <param name="LastSuccess">This run's included.</param>
    /// <param name="OfAll">Null: the database did not say.</param>
    private sealed record Known(DateTime? LastSuccess, IReadOnlyList<Metric>? OfAll);

    private async Task<Known> ReadAsync(RunEnd end, Db? db, TimeSpan within)
    {
        if (db is null)
        {
            return new Known(null, null);
        }

        var most = within / 2 < MostTimeToRead ? within / 2 : MostTimeToRead;
        using var patience = new CancellationTokenSource(most);
        try
        {
            var (zone, grace) = Rules();
            var reading = db.TransactionAsync(
                async tx => new Known(
                    await LedgerMetrics.LastSuccessAsync(tx, _job.Name, end.Shard),
                    await BusinessMetrics.ReadAsync(tx, zone, grace, await tx.SingleAsync<DateTime>("SELECT now()"))),
                most, patience.Token);
            return await reading.WaitAsync(patience.Token);
        }
        catch (Exception e)
        {
            Warn("metrics", e is OperationCanceledException ? "the database did not answer in time" : Failures.Sentence(e));
            return new Known(null, null);
        }
    }

    private (BusinessZone, TimeSpan) Rules()
    {
        try
        {
            return (BusinessZone.From(_settings), RenewalPolicy.From(_settings).Grace);
        }
        catch (OperatorException)
        {
            // Said by the jobs that need them.
            return (new BusinessZone("Europe/Paris"), RenewalPolicy.Default.Grace);
        }
    }

    private async Task TryAsync(string sink, Func<CancellationToken, Task> tellAsync, CancellationToken cancellation)
    {
        try
        {
            await tellAsync(cancellation);
        }
        catch (Exception e)
        {
            Warn(sink, e);
        }
    }

    private void Warn(string sink, Exception e) => Warn(sink, Reason(e));

    private void Warn(string sink, string reason)
    {
        lock (_warnings)
        {
            _warnings.Add($"{sink}: {reason}");
        }
    }

    internal static string Reason(Exception e) => e switch
    {
        OperationCanceledException => NoAnswer,
        HttpRequestException { StatusCode: { } status } => $"it answered {(int)status}",
        HttpRequestException { InnerException: SocketException s } => s.Message,
        AggregateException { InnerExceptions: [var first, ..] } => Reason(first),
        _ => Failures.Sentence(e),
    };
}
