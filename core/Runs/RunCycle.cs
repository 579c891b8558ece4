using System.Diagnostics;
using Jobs.Database;
using Jobs.Telemetry;
using Microsoft.Extensions.Logging;

namespace Jobs.Runs;

/// <summary>The life of one run: begin in the ledger, work under a heartbeat, record the end whatever happened.</summary>
internal sealed class RunCycle(
    JobRun run, RunLedger ledger, RunResult result, StopSignal stop, Redaction redaction, Stopwatch clock, Settings settings, Db db, RunTelemetry? telemetry)
{
    private (RunStatus Status, string? Error) _outcome;

    /// <summary>While it waits for the lease: who has it.</summary>
    private string? _waitsFor;

    public async Task<int> GoAsync(Func<IJob> job)
    {
        stop.LastWords = () => End(Stopped());
        // Made while the database is asked: what its parts read and load takes as long as the answer. What is wrong with them
        // is said when it is the job's turn.
        var made = Task.Run(job);
        try
        {
            if (run.Job.Kind == JobKind.Tool)
            {
                result.StartedAt = DateTime.UtcNow;
                run.Now = run.Options.AsOf ?? result.StartedAt.Value;
            }
            else if (run.Job.Kind != JobKind.Schema && !await BeginAsync())
            {
                await TellAsync(ExitCode(RunStatus.Skipped));
                return ExitCode(RunStatus.Skipped);
            }
        }
        catch (Exception) when (stop.Reason is not null)
        {
            _outcome = Stopped();
            if (_waitsFor is not null)
            {
                await RecordAsync();
            }

            return End(_outcome);
        }

        if (telemetry is not null)
        {
            await telemetry.ReadyAsync();
            telemetry.Begin();
        }

        await WorkAsync(made);
        await RecordAsync();
        var exitCode = End(_outcome);
        await TellAsync(exitCode);
        return exitCode;
    }

    private async Task TellAsync(int exitCode)
    {
        if (telemetry is null)
        {
            return;
        }

        var (status, error) = _outcome;
        var end = new RunEnd
        {
            Job = run.Job,
            RunId = run.Id,
            Shard = run.Options.Shard,
            Partial = run.Options.Partial,
            Status = status,
            ExitCode = exitCode,
            StartedAt = result.StartedAt ?? DateTime.UtcNow - clock.Elapsed,
            Duration = clock.Elapsed,
            Line = result.Line(status, clock.Elapsed, run.Counters, error),
        };
        foreach (var warning in await telemetry.EndAsync(end, db, stop.TimeLeft))
        {
            run.Log.LogWarning("Not told: {Warning}", warning);
        }
    }

    private int End((RunStatus, string?) outcome)
    {
        var (status, error) = outcome;
        result.Finish(status, clock.Elapsed, run.Counters, error);
        TerminationMessage.Leave(settings, result.Line(status, clock.Elapsed, run.Counters, error));
        if (status is RunStatus.Failed or RunStatus.Interrupted)
        {
            run.Log.LogError("{Status}: {Error}", RunResult.Text(status), error);
        }

        return ExitCode(status);
    }

    private int ExitCode(RunStatus status)
    {
        if (result.Undelivered is { } reason)
        {
            run.Log.LogError("The run {Status}, but its result could not be written to stdout: {Reason}", RunResult.Text(status), reason);
            return 1;
        }

        return status is RunStatus.Succeeded or RunStatus.Skipped ? 0 : 1;
    }

    /// <returns>False when there is nothing to run: paused, or another run is at it.</returns>
    private async Task<bool> BeginAsync()
    {
        await ledger.BeginAsync(Wait, stop.Stopping);
        var start = ledger.Start;
        if (!start.Migrated)
        {
            throw new OperatorException("the database lacks migrations of this version; run the job `migrate` first");
        }

        result.StartedAt = start.Now;
        run.Now = run.Options.AsOf ?? start.Now;
        if (run.DryRun || start.Acquired)
        {
            if (_waitsFor is not null)
            {
                // The wait is no part of the work, nor of its time-out.
                _waitsFor = null;
                clock.Restart();
                stop.StopAfter(run.Options.Timeout);
            }

            return true;
        }

        var why = redaction.Strike(
            start.Paused ? $"paused{(start.PausedUntil is { } until ? $" until {until:u}" : "")}: {start.PauseReason}"
            : ledger.IsStale ? $"{start.Held()}; it was not renewed in the {Duration.Format(ledger.Life.LongestWait)} that this run waited: where that run is dead, delete its row of `leases`"
            : start.Held());
        if (!start.Paused)
        {
            await ledger.RecordAsync(RunStatus.Skipped, run.Counters, why, clock.Elapsed, stop.Stopping);
        }

        run.Log.LogInformation("Skipped: {Reason}", why);
        _outcome = (RunStatus.Skipped, why);
        result.Finish(RunStatus.Skipped, clock.Elapsed, run.Counters, why);
        TerminationMessage.Leave(settings, result.Line(RunStatus.Skipped, clock.Elapsed, run.Counters, why));
        return false;
    }

    private void Wait()
    {
        _waitsFor = redaction.Strike(ledger.Start.Held());
        stop.StopAfter(null);
        run.Log.LogInformation("Waiting, for {Reason}; this run goes on when that one ends, or no longer renews it", _waitsFor);
    }

    /// <summary>By the database's clock: this machine's may be wrong.</summary>
    private void RefuseFuture()
    {
        if (settings.Production && !run.DryRun && run.Now > result.StartedAt)
        {
            throw new OperatorException("--as-of is in the future, which is refused in production: the run would act on what is not due yet; use --dry-run to look ahead");
        }
    }

    private async Task WorkAsync(Task<IJob> made)
    {
        using var timer = new PeriodicTimer(ledger.Life.Beat);
        var heartbeat = ledger.TakesLease ? BeatAsync(timer) : Task.CompletedTask;
        try
        {
            RefuseFuture();
            await (await made).RunAsync();
            _outcome = stop.Reason is null ? Outcome() : Stopped();
        }
        catch (OperationCanceledException) when (stop.Aborting.IsCancellationRequested)
        {
            _outcome = Stopped();
        }
        catch (Exception) when (stop.Reason is not null && stop.Aborting.IsCancellationRequested)
        {
            _outcome = Stopped();
        }
        catch (Exception e)
        {
            if (!Failures.IsPlain(e))
            {
                run.Log.LogError(e, "Unexpected failure");
            }

            _outcome = (RunStatus.Failed, redaction.Strike(Failures.Sentence(e)));
        }
        finally
        {
            timer.Dispose();
            await heartbeat;
        }
    }

    private (RunStatus, string?) Outcome()
    {
        return run.Counters["failed"] is var failed and > 0
            ? (RunStatus.Failed, $"{failed} items failed; the log names each, the others were done")
            : (RunStatus.Succeeded, null);
    }

    private (RunStatus, string?) Stopped() => stop.Reason switch
    {
        StopReason.TimeOut => (RunStatus.Failed,
            $"stopped after {Duration.Format(run.Options.Timeout)} (--timeout); what was done is kept, the next run goes on"),
        StopReason.LeaseLost or StopReason.Stalled => (RunStatus.Failed, $"stopped: {stop.Detail}"),
        _ when _waitsFor is not null => (RunStatus.Interrupted, $"stopped by {stop.Detail} before it did anything: {_waitsFor}, and this run waited for it"),
        _ => (RunStatus.Interrupted, $"stopped by {stop.Detail}; what was done is kept, the next run goes on"),
    };

    private async Task BeatAsync(PeriodicTimer timer)
    {
        // Disposing the timer ends this without an exception, which would cost more than the heartbeat itself.
        while (await timer.WaitForNextTickAsync())
        {
            await BeatOnceAsync(stop.Aborting);
        }
    }

    private async Task BeatOnceAsync(CancellationToken end)
    {
        try
        {
            if (!await ledger.RenewAsync(end))
            {
                stop.Stop(StopReason.LeaseLost, "the lease passed to another run while this one did not answer");
            }
        }
        catch (Exception e)
        {
            // The work itself meets the same database and speaks of it; a missed heartbeat alone harms nobody.
            run.Log.LogWarning("Heartbeat failed: {Reason}", Failures.Sentence(e));
        }
    }

    private async Task RecordAsync()
    {
        if (run.DryRun || run.Job.Kind == JobKind.Tool)
        {
            return;
        }

        var (status, error) = _outcome;
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(stop.Reason is null ? 10 : 2));
            await (run.Job.Kind == JobKind.Schema || _waitsFor is not null
                ? ledger.RecordAsync(status, run.Counters, error, clock.Elapsed, patience.Token)
                : ledger.FinishAsync(status, run.Counters, error, patience.Token));
        }
        catch (Npgsql.PostgresException e) when (run.Job.Kind == JobKind.Schema
            && e.SqlState is Npgsql.PostgresErrorCodes.UndefinedTable or Npgsql.PostgresErrorCodes.UndefinedColumn)
        {
            // The scripts have not come as far as the ledger's tables and columns; their own failure is already reported.
        }
        catch (Exception e)
        {
            var why = e is OperationCanceledException ? "the database did not take it in time" : redaction.Strike(Failures.Sentence(e));
            var reason = $"the end of the run could not be recorded: {why}";
            run.Log.LogError("{Reason}", reason);
            if (status == RunStatus.Succeeded)
            {
                _outcome = (RunStatus.Failed, reason);
            }
        }
    }
}
