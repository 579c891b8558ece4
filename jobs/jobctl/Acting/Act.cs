using Jobs.Runs;

namespace Jobs.Acting;

/// <summary>What every command has that changes something: who, why, and whether it is only a rehearsal.</summary>
internal static class Act
{
    public static readonly JobOption<string?> Actor = new(
        "--actor", "name", "Who you are, for the record. Default: the name you are logged in with.", OptionValue.Text, null);

    public static readonly JobOption<string?> Reason = new("--reason", "text", "Why, for whoever reads it later.", OptionValue.Text, null);

    public static readonly JobOption<bool> DryRun = new("--dry-run", "", "Say what would change; write no row.", OptionValue.Flag, false);

    public static string ActorOf(ToolRun run) =>
        run.Get(Actor)?.Trim() is { Length: > 0 } given ? given
        : Environment.UserName is { Length: > 0 } login ? login
        : throw new OperatorException("--actor is missing; say who you are");

    public static string ReasonOf(ToolRun run) =>
        run.Get(Reason)?.Trim() is { Length: > 0 } reason ? reason
        : throw new OperatorException("--reason is missing; say why, for whoever reads it later");
}
