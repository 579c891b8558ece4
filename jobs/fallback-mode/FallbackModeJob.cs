using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Terminals;
using Microsoft.Extensions.Logging;

namespace Jobs;

/// <summary>
/// Shows, activates or ends the degraded mode of the card terminals: in it cash, checks and transfers go on, and cards wait. What
/// somebody activated here ends when somebody says so, or when its time is over; never because the provider is back.
/// </summary>
public sealed class FallbackModeJob(JobRun run, Db db, JobOptions options, FallbackMode fallback) : IJob
{
    private static readonly JobOption<bool> Show = new("--show", "", "Show the mode; the default.", OptionValue.Flag, false);
    private static readonly JobOption<bool> Activate = new("--activate", "", "From now on cards wait.", OptionValue.Flag, false);
    private static readonly JobOption<bool> Deactivate = new("--deactivate", "", "From now on cards are taken again.", OptionValue.Flag, false);

    private static readonly JobOption<string?> Reason = new(
        "--reason", "text", "Why; staff read it. With --activate needed.", OptionValue.Text, null);

    private static readonly JobOption<Func<DateTime, DateTime>?> Until = new(
        "--until", "duration|instant", "With --activate: it ends by itself after this long (2h) or then (2026-11-20T18:00:00Z).", ParseUntil, null);

    private static readonly JobOption<string?> Actor = new(
        "--actor", "name", "Who you are; needed with --activate and --deactivate.", OptionValue.Text, null);

    public static readonly JobOption[] Options = [Show, Activate, Deactivate, Reason, Until, Actor];

    public async Task RunAsync()
    {
        var (activate, deactivate) = (options.Get(Activate), options.Get(Deactivate));
        Check(activate, deactivate);
        var (outcome, state) = activate ? await ActivateAsync() : deactivate ? await DeactivateAsync() : ("shown", await ShowAsync());
        run.Count(
            outcome, "card_terminals",
            ("active", state.IsActive(run.Now)), ("automatic", state.Automatic), ("reason", state.Reason), ("actor", state.Actor),
            ("since", state.Since), ("until", state.Until), ("ended_at", state.EndedAt), ("ended_by", state.EndedBy),
            ("end_reason", state.EndReason));
    }

    private void Check(bool activate, bool deactivate)
    {
        if ((activate ? 1 : 0) + (deactivate ? 1 : 0) + (options.Get(Show) ? 1 : 0) > 1)
        {
            throw new OperatorException("--show, --activate and --deactivate exclude each other; give one of them");
        }

        if (options.Get(Until) is not null && !activate)
        {
            throw new OperatorException("--until goes with --activate alone");
        }

        if (activate && string.IsNullOrWhiteSpace(options.Get(Reason)))
        {
            throw new OperatorException("--activate needs --reason: staff are told why cards wait");
        }

        if ((activate || deactivate) && string.IsNullOrWhiteSpace(options.Get(Actor)))
        {
            throw new OperatorException($"{(activate ? "--activate" : "--deactivate")} needs --actor: who you are");
        }
    }

    private Origin Person => run.Origin with { Actor = options.Get(Actor)!.Trim() };

    private async Task<(string Outcome, FallbackState State)> ActivateAsync()
    {
        var until = options.Get(Until)?.Invoke(run.Now);
        if (until <= run.Now)
        {
            throw new OperatorException("--until is over already; give a later time");
        }

        var (changed, state) = await db.TransactionAsync(
            tx => fallback.ActivateAsync(tx, Person, options.Get(Reason)!.Trim(), until), run.Aborting);
        if (!changed)
        {
            run.Log.LogWarning("Nothing changed: {Actor} activated it before; end it first to give another reason or end", state.Actor);
        }

        return (changed ? "activated" : "unchanged", state);
    }

    private async Task<(string Outcome, FallbackState State)> DeactivateAsync()
    {
        var (changed, state) = await db.TransactionAsync(tx => fallback.EndAsync(tx, Person, options.Get(Reason)?.Trim()), run.Aborting);
        if (!changed)
        {
            run.Log.LogWarning("Nothing changed: it is not active");
        }

        return (changed ? "deactivated" : "unchanged", state);
    }

    private async Task<FallbackState> ShowAsync() =>
        (await db.TransactionAsync(tx => fallback.EndExpiredAsync(tx, run.Origin), run.Aborting)).State;

    private static Func<DateTime, DateTime> ParseUntil(string text)
    {
        try
        {
            if (text.Contains('T', StringComparison.Ordinal))
            {
                var instant = OptionValue.Instant(text)!.Value;
                return _ => instant;
            }

            var duration = Duration.Parse(text);
            return now => now + duration;
        }
        catch (FormatException e)
        {
            throw new FormatException("a duration such as 2h, or an instant with its zone such as 2026-11-20T18:00:00Z", e);
        }
    }
}
