using System.Globalization;
using Jobs.Acting;
using Jobs.Runs;

namespace Jobs.Settle;

/// <param name="As">What it is to be settled as.</param>
internal sealed record Decision(string As, string Reason, string Actor, bool DryRun);

/// <summary>
/// Settles by hand what the jobs must not guess. Every decision is a compare-and-set in one transaction with its audit row: who comes
/// second learns what was decided, and the same decision again changes nothing. Where a provider can tell, it is asked first.
/// </summary>
internal static class ResolveCommand
{
    private static readonly JobOption<string?> As = new(
        "--as", "outcome", "What it is settled as; see what may follow.", OptionValue.Text, null, "JOBS_RESOLVE_AS");

    public static readonly JobOption<long?> User = new(
        "--user", "id", "unmatched --as recorded: whose payment it was.", OptionValue.Id, null);

    public static readonly JobOption<string?> Transaction = new(
        "--transaction", "code", "terminal --as paid: the code on SumUp's receipt, or the transaction's id.", OptionValue.Text, null, "JOBS_RESOLVE_TRANSACTION");

    public static readonly JobOption<bool> WithoutAsking = new(
        "--without-asking", "", "Go by your word where the provider cannot be asked, or does not tell.", OptionValue.Flag, false, "JOBS_RESOLVE_WITHOUT_ASKING");

    private const string Usage =
        "list | unmatched ID --as refunded|ignored|recorded | mail ID --as sent|resend|dropped | terminal PAYMENT --as paid|not-paid | item JOB ITEM --as retry|drop | order ID --as refunded";

    public static readonly ToolCommand Command = new(
        "resolve",
        "Lists what waits for a person to decide, and settles it.",
        [As, Act.Reason, User, Transaction, WithoutAsking, Act.Actor, Act.DryRun],
        RunAsync,
        new ToolArgument("kind", "What; list when left out.", ["list", "unmatched", "mail", "terminal", "item", "order"]))
    {
        Words = new("ID", $"{Usage}; --reason TEXT with all but list."),
    };

    private static Task RunAsync(ToolRun run) => run.Argument switch
    {
        null or "list" => ListAsync(run),
        "unmatched" => SettleAsync(run, ["refunded", "ignored", "recorded"], (services, decision) => new Unmatched(run, services, decision).SettleAsync(Id(run))),
        "mail" => SettleAsync(run, ["sent", "resend", "dropped"], (services, decision) => UndeliveredMail.SettleAsync(run, services, decision, Id(run))),
        "terminal" => SettleAsync(run, ["paid", "not-paid"], (services, decision) => new TerminalResult(run, services, decision).SettleAsync(Id(run))),
        "item" => SettleAsync(run, ["retry", "drop"], (services, decision) => ParkedItem.SettleAsync(run, services, decision)),
        _ => SettleAsync(run, ["refunded"], (services, decision) => new RefundDue(run, services, decision).SettleAsync(Id(run))),
    };

    private static Task ListAsync(ToolRun run) =>
        run.Words.Count > 0 ? throw new OperatorException($"'{run.Words[0]}' is too much; resolve list shows all that is open") : OpenMatters.PrintAsync(run);

    private static async Task SettleAsync(ToolRun run, string[] outcomes, Func<ToolServices, Decision, Task<Answer>> settle)
    {
        var kind = run.Argument!;
        var outcome = run.Get(As) ?? throw new OperatorException($"--as is missing; it is one of {string.Join(", ", outcomes)}");
        if (!outcomes.Contains(outcome))
        {
            throw new OperatorException($"--as must be one of {string.Join(", ", outcomes)} for {kind}, not '{outcome}'");
        }

        if ((run.Get(User) is not null && (kind, outcome) != ("unmatched", "recorded")) || (run.Get(Transaction) is not null && (kind, outcome) != ("terminal", "paid")))
        {
            throw new OperatorException("--user goes with unmatched --as recorded, --transaction with terminal --as paid");
        }

        var decision = new Decision(outcome, Act.ReasonOf(run), Act.ActorOf(run), run.Get(Act.DryRun));
        await using var services = await run.ActAsync(decision.Actor, decision.DryRun);
        var answer = await settle(services, decision);
        await (answer with
        {
            Fields = [("kind", kind), ("what", string.Join(' ', run.Words)), ("as", outcome), ("actor", decision.Actor), ("reason", decision.Reason), .. answer.Fields],
        }).PrintAsync(run, "resolve");
    }

    private static long Id(ToolRun run) => run.Words switch
    {
        [] => throw new OperatorException($"say which: jobctl resolve {run.Argument} ID; `jobctl resolve list` shows the ids"),
        [var text] => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > 0
            ? id
            : throw new OperatorException($"'{text}' is no id; `jobctl resolve list` shows them"),
        _ => throw new OperatorException($"one at a time: '{run.Words[1]}' is too much"),
    };
}
