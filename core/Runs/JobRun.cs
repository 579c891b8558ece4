using System.Diagnostics;
using System.Runtime.CompilerServices;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Stripe;
using Jobs.Telemetry;
using Microsoft.Extensions.Logging;

namespace Jobs.Runs;

/// <summary>One run of a job: its "now", its options, its counters, and the way it goes through its items.</summary>
public sealed class JobRun
{
    private readonly RunResult _result;
    private readonly StopSignal _stop;
    private readonly Db _db;
    private readonly string? _person;
    private readonly Progress _progress;
    private int _begun;
    private int _failuresInARow;
    private long _nowAt;

    /// <param name="person">Who acts through the tool: then there is no run in the ledger, and what is written names none.</param>
    internal JobRun(Guid id, JobDefinition job, RunOptions options, RunResult result, StopSignal stop, Db db, ILogger log, Progress progress, string? person = null)
    {
        (Id, Job, Options, _result, _stop, _db, Log, _progress, _person) = (id, job, options, result, stop, db, log, progress, person);
    }

    public Guid Id { get; }
    public JobDefinition Job { get; }
    public RunOptions Options { get; }
    public ILogger Log { get; }
    public Counters Counters { get; } = new();

    /// <summary>The run's "now", UTC: --as-of, or the database's clock when the run began.</summary>
    public DateTime Now
    {
        get;
        internal set
        {
            field = value;
            _nowAt = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>Its "now" that goes on with it: what happens in its fourth minute happens four minutes after <see cref="Now"/>.</summary>
    public DateTime NowGoingOn => Now + Stopwatch.GetElapsedTime(_nowAt);

    /// <summary>Of what the run writes.</summary>
    public Origin Origin => new(_person ?? Job.Name, _person is null ? Id : null, Now);

    public bool DryRun => Options.DryRun;

    /// <summary>Cancelled when no new item may be begun.</summary>
    public CancellationToken Stopping => _stop.Stopping;

    /// <summary>Cancelled when the item under way must be abandoned: pass it to every wait.</summary>
    public CancellationToken Aborting => _stop.Aborting;

    /// <summary>Lists one item in the result (dry runs, and --items).</summary>
    public void Item(long id, string outcome, params ReadOnlySpan<(string Name, object? Value)> fields) =>
        Item(id.ToString(System.Globalization.CultureInfo.InvariantCulture), outcome, fields);

    /// <inheritdoc cref="Item(long, string, ReadOnlySpan{ValueTuple{string, object}})"/>
    public void Item(string id, string outcome, params ReadOnlySpan<(string Name, object? Value)> fields) =>
        _result.Item(id, outcome, fields);

    /// <summary>Counts an outcome and lists the item.</summary>
    public void Count(string outcome, long id, params ReadOnlySpan<(string Name, object? Value)> fields)
    {
        Counters.Add(outcome);
        Item(id, outcome, fields);
    }

    /// <inheritdoc cref="Count(string, long, ReadOnlySpan{ValueTuple{string, object}})"/>
    public void Count(string outcome, string id, params ReadOnlySpan<(string Name, object? Value)> fields)
    {
        Counters.Add(outcome);
        Item(id, outcome, fields);
    }

    public bool WantsItems => _result.WantsItems;

    /// <summary>Shows how far a long work is, on a terminal only.</summary>
    public void ShowProgress(long done, long? total = null) => _progress.Show(Job.Name, done, total);

    /// <summary>
    /// Works through the items, <paramref name="parallel"/> at a time. An item that throws is counted as failed, remembered
    /// (parked after 5 failures) and stops nobody else; a database that cannot be reached or takes no writes, a key that Stripe refuses, a
    /// <see cref="StopRunException"/> or ten failures in a row end the run. Stops taking items when the run is stopping or --limit is reached.
    /// </summary>
    public async Task EachAsync<T>(
        IAsyncEnumerable<T> items, Func<T, string> id, Func<T, Task> work, int parallel = 1, long? total = null)
    {
        var troubled = await TroubledAsync();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        Exception? fatal = null;
        long done = 0;
        try
        {
            await Parallel.ForEachAsync(
                WithinLimitAsync(items, item => IsParked(troubled, id(item))),
                new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = ending.Token },
                async (item, _) =>
                {
                    if (ending.IsCancellationRequested)
                    {
                        return;
                    }

                    using var span = Spans.Item(id(item));
                    try
                    {
                        await work(item);
                        Volatile.Write(ref _failuresInARow, 0);
                        await ForgetFailuresAsync(troubled, id(item));
                    }
                    catch (Exception e) when (!Aborting.IsCancellationRequested && !EndsRun(e))
                    {
                        span?.Failed(e);
                        await FailItemAsync(id(item), e);
                    }
                    catch (Exception e)
                    {
                        Interlocked.CompareExchange(ref fatal, e, null);
                        await ending.CancelAsync();
                    }

                    ShowProgress(Interlocked.Increment(ref done), total);
                });
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // Items not begun stay for the next run.
        }
        finally
        {
            _progress.Clear();
        }

        if (fatal is not null && !(Aborting.IsCancellationRequested && fatal is OperationCanceledException))
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fatal);
        }
    }

    public Task EachAsync<T>(IEnumerable<T> items, Func<T, string> id, Func<T, Task> work, int parallel = 1, long? total = null) =>
        EachAsync(items.ToAsyncEnumerable(), id, work, parallel, total);

    /// <summary>The first of them, in their order; what lies beyond the limit is not even read.</summary>
    private async IAsyncEnumerable<T> WithinLimitAsync<T>(
        IAsyncEnumerable<T> items, Func<T, bool> isParked, [EnumeratorCancellation] CancellationToken ending = default)
    {
        if (_begun >= Options.Limit)
        {
            yield break;
        }

        await foreach (var item in items.WithCancellation(ending))
        {
            if (isParked(item))
            {
                continue;
            }

            _begun++;
            yield return item;
            if (_begun >= Options.Limit)
            {
                yield break;
            }
        }
    }

    /// <summary>A refused key, a full disk: what every item would meet, and is the fault of none.</summary>
    private static bool EndsRun(Exception e) =>
        e is StopRunException or StripeException { IsAuthentication: true } or StripeException { IsPermission: true } || Db.IsPassing(e) || Db.TakesNoWrites(e);

    /// <summary>Counts, logs and remembers an item that failed; the tenth in a row ends the run, and so does what is no item's fault.</summary>
    public async Task FailItemAsync(string item, Exception e)
    {
        if (EndsRun(e))
        {
            throw e as StopRunException ?? new StopRunException(Failures.Sentence(e), e);
        }

        Counters.Add("failed");
        Log.LogError(Failures.IsProviders(e) ? null : e, "Item {Item} failed: {Reason}", item, e.Message);
        Item(item, "failed", ("error", Failures.Sentence(e)));
        // A provider that is down says nothing about the item.
        if (!DryRun && e is not StripeException { IsUnavailable: true })
        {
            var failures = await _db.TransactionAsync(
                tx => tx.SingleAsync<int>(RememberFailure, new { Job = Job.Name, Item = item, Error = Failures.Sentence(e), ParkAfter }),
                Aborting);
            if (failures >= ParkAfter)
            {
                Log.LogError("Item {Item} failed {Failures} times and is parked; see job_item_failures", item, failures);
            }
        }

        if (Interlocked.Increment(ref _failuresInARow) >= FailuresThatEndTheRun)
        {
            throw new StopRunException($"{FailuresThatEndTheRun} items in a row failed, the last one because {Failures.Sentence(e)}", e);
        }
    }

    private const int ParkAfter = 5;
    private const int FailuresThatEndTheRun = 10;

    private const string RememberFailure =
        """
        INSERT INTO job_item_failures AS known (job, item, last_error)
        VALUES (@Job, @Item, @Error)
        ON CONFLICT (job, item) DO UPDATE
        SET failures = known.failures + 1, last_error = excluded.last_error, last_failed_at = clock_timestamp(),
            parked_at = CASE WHEN known.failures + 1 >= @ParkAfter THEN coalesce(known.parked_at, clock_timestamp()) END
        RETURNING failures
        """;

    /// <summary>
    /// The items with failures on record, and whether they are parked. Few: what fails for its own reason, not the provider's.
    /// </summary>
    private async Task<Dictionary<string, bool>> TroubledAsync()
    {
        var rows = await _db.TransactionAsync(
            tx => tx.QueryAsync<Troubled>(
                "SELECT item, parked_at IS NOT NULL AS parked FROM job_item_failures WHERE job = @Job", new { Job = Job.Name }),
            Aborting);
        var parked = rows.Count(r => r.Parked);
        if (parked > 0)
        {
            Log.LogWarning("{Parked} items are parked after repeated failure; see job_item_failures", parked);
        }

        return rows.ToDictionary(r => r.Item, r => r.Parked, StringComparer.Ordinal);
    }

    private sealed class Troubled
    {
        public string Item { get; init; } = "";
        public bool Parked { get; init; }
    }

    /// <summary>Left alone unless asked for by --only.</summary>
    private bool IsParked(Dictionary<string, bool> troubled, string item)
    {
        if (Options.Only is not null || !troubled.GetValueOrDefault(item))
        {
            return false;
        }

        Counters.Add("parked");
        Item(item, "parked");
        return true;
    }

    private async Task ForgetFailuresAsync(Dictionary<string, bool> troubled, string item)
    {
        if (!DryRun && troubled.ContainsKey(item))
        {
            await _db.TransactionAsync(
                tx => tx.ExecuteAsync("DELETE FROM job_item_failures WHERE job = @Job AND item = @item", new { Job = Job.Name, item }),
                Aborting);
        }
    }
}
