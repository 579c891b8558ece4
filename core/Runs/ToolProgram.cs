using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Jobs.Database;

namespace Jobs.Runs;

/// <summary>One command of the operator's tool.</summary>
/// <param name="Name">What follows the tool's name.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Options">The command's own, besides --output.</param>
/// <param name="RunAsync">Does it; an <see cref="OperatorException"/> becomes one line and exit code 1.</param>
/// <param name="Argument">What may follow the command's name, if anything may.</param>
public sealed record ToolCommand(string Name, string Summary, JobOption[] Options, Func<ToolRun, Task> RunAsync, ToolArgument? Argument = null)
{
    /// <summary>What may follow that word.</summary>
    public ToolArgument? Then { get; init; }

    /// <summary>What may follow the arguments; null: nothing.</summary>
    public ToolWords? Words { get; init; }

    /// <summary>What exit code 1 means besides an error; null: nothing.</summary>
    public string? Exit1 { get; init; }
}

/// <summary>One word after a command's name; without it the command is about all there are.</summary>
/// <param name="Name">As the help shows it.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Values">All that it may be; none: whatever the command makes of it.</param>
public sealed record ToolArgument(string Name, string Summary, IReadOnlyCollection<string> Values);

/// <summary>Further words of a command, which it understands itself.</summary>
/// <param name="Usage">As the help shows them, such as <c>ID</c>.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Rest">Whatever follows <c>--</c> is passed on as it is.</param>
public sealed record ToolWords(string Usage, string Summary, bool Rest = false);

/// <summary>
/// What the tool's Program.cs calls. The settings, the database, the signals and the sentences are those of a job; there is no lease,
/// no row in the ledger and no summary: a command's answer is what it prints.
/// </summary>
public static class ToolProgram
{
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, ProgramContext context, params ToolCommand[] commands)
    {
        var tool = Catalogue.Find("jobctl");
        using var stop = new StopSignal(context);
        var settings = new Settings(context.Variables);
        var redaction = new Redaction(settings);
        var line = new ToolCommandLine(tool, commands);
        var parsed = line.Parse(args);
        try
        {
            if (line.HelpOrVersion(parsed, context.Output))
            {
                return 0;
            }

            var command = line.Check(parsed);
            await using var run = new ToolRun(tool, ToolCommandLine.Read(parsed, command, settings), ToolCommandLine.Argument(parsed, command.Argument), settings, redaction, stop, context)
            {
                SecondArgument = ToolCommandLine.Argument(parsed, command.Then),
            };
            (run.Words, run.Rest) = ToolCommandLine.Words(parsed, command);
            await command.RunAsync(run);
            return run.ExitCode;
        }
        catch (OperationCanceledException) when (stop.Reason is not null)
        {
            return Failed(new OperatorException($"stopped by {stop.Detail ?? "its time limit"}"));
        }
        catch (Exception e)
        {
            if (!Failures.IsPlain(e))
            {
                await context.Error.WriteLineAsync(redaction.Strike(e.ToString()));
            }

            return Failed(e);
        }

        int Failed(Exception e)
        {
            var sentence = redaction.Strike(Failures.Sentence(e));
            context.Error.WriteLine($"{tool.Name}: {sentence}");
            if (JobProgram.AsksForJson(parsed, settings))
            {
                context.Output.WriteLine(JsonText.Of(("job", tool.Name), ("command", line.Find(parsed)?.Name), ("status", "failed"), ("error", sentence)));
            }

            return 1;
        }
    }
}

/// <summary>The command line of the tool: a command's name, its options, help and version.</summary>
internal sealed class ToolCommandLine
{
    private readonly JobDefinition _tool;
    private readonly ToolCommand[] _commands;
    private readonly RootCommand _root;

    public ToolCommandLine(JobDefinition tool, ToolCommand[] commands)
    {
        (_tool, _commands) = (tool, commands);
        // Which command it is, and what is none, is said here in our own words.
        _root = new RootCommand(tool.Summary) { TreatUnmatchedTokensAsErrors = false };
        _root.Directives.Clear();
        _root.Options.Add(RunOptions.OutputOption.CommandLineOption);
        foreach (var command in commands)
        {
            var sub = new Command(command.Name, command.Summary) { TreatUnmatchedTokensAsErrors = false };
            foreach (var option in OptionsOf(command))
            {
                sub.Options.Add(option.CommandLineOption);
            }

            foreach (var argument in ArgumentsOf(command))
            {
                sub.Arguments.Add(new Argument<string?>(argument.Name) { Arity = ArgumentArity.ZeroOrOne });
            }

            if (command.Words is not null)
            {
                sub.Arguments.Add(new Argument<string[]>(WordsName) { Arity = ArgumentArity.ZeroOrMore });
            }

            _root.Subcommands.Add(sub);
        }
    }

    public ParseResult Parse(string[] args) => _root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    /// <returns>Null when none was named.</returns>
    public ToolCommand? Find(ParseResult parsed) => _commands.FirstOrDefault(c => c.Name == parsed.CommandResult.Command.Name);

    /// <returns>True when one was asked for and printed.</returns>
    public bool HelpOrVersion(ParseResult parsed, TextWriter output)
    {
        if (parsed.Action is HelpAction)
        {
            output.WriteLine(Find(parsed) is { } command ? Help(command) : Help());
            return true;
        }

        if (parsed.Action is not null && parsed.Errors.Count == 0 && parsed.Tokens.Any(t => t.Value == "--version"))
        {
            output.WriteLine(JobProgram.Version);
            return true;
        }

        return false;
    }

    /// <summary>Refuses what the parser did not understand, with what was probably meant.</summary>
    public ToolCommand Check(ParseResult parsed)
    {
        var command = Find(parsed);
        var place = command is null ? _tool.Name : $"{_tool.Name} {command.Name}";
        var stray = parsed.Tokens.Where(t => t.Type == TokenType.Directive).Select(t => t.Value).Concat(parsed.UnmatchedTokens)
            .Concat(command?.Words is null ? [] : Words(parsed, command).Words.Where(word => word.StartsWith('-'))).FirstOrDefault();
        if (stray is not null)
        {
            var isOption = stray.StartsWith('-') || command is not null;
            IEnumerable<string> known = isOption ? (command is null ? ["--output"] : OptionsOf(command).Select(o => o.Name)) : _commands.Select(c => c.Name);
            var near = Suggestion.Nearest(stray.Split('=', ':')[0], isOption ? known.Append("--help").Append("--version") : known);
            var kind = isOption ? $"an option of {place}" : $"a command of {place}";
            throw new OperatorException(near is null || near == stray
                ? $"'{stray}' is not {kind}; see {place} --help"
                : $"'{stray}' is not {kind}; did you mean {near}?");
        }

        if (command is null)
        {
            throw new OperatorException($"say which command: {string.Join(", ", _commands.Select(c => c.Name))}; see {_tool.Name} --help");
        }

        return parsed.Errors is [var error, ..]
            ? throw new OperatorException(error.Message.TrimEnd('.') + $"; see {place} --help")
            : command;
    }

    public static JobOptions Read(ParseResult parsed, ToolCommand command, Settings settings) =>
        new(OptionsOf(command).ToDictionary(o => o, o => o.Read(parsed, settings)));

    /// <returns>Null when it takes none or none was given.</returns>
    public static string? Argument(ParseResult parsed, ToolArgument? argument)
    {
        if (argument is null || parsed.GetValue<string?>(argument.Name) is not { } value)
        {
            return null;
        }

        if (argument.Values.Count == 0 || argument.Values.Contains(value))
        {
            return value;
        }

        var near = Suggestion.Nearest(value, argument.Values);
        throw new OperatorException(near is null
            ? $"'{value}' is none of the {argument.Name}s: {string.Join(", ", argument.Values)}"
            : $"'{value}' is none of the {argument.Name}s; did you mean {near}?");
    }

    private const string WordsName = "words";

    /// <returns>The words before <c>--</c>, and what follows it.</returns>
    public static (IReadOnlyList<string> Words, IReadOnlyList<string> PassedOn) Words(ParseResult parsed, ToolCommand command)
    {
        if (command.Words is not { } words)
        {
            return ([], []);
        }

        string[] all = parsed.GetValue<string[]>(WordsName) ?? [];
        var dashes = parsed.Tokens.Select(token => token.Type).ToList().IndexOf(TokenType.DoubleDash);
        var rest = dashes < 0 ? 0 : Math.Min(parsed.Tokens.Count - dashes - 1, all.Length);
        return rest == 0 || words.Rest
            ? (all[..^rest], all[^rest..])
            : throw new OperatorException($"nothing may follow --; see {command.Name} --help");
    }

    private static IEnumerable<ToolArgument> ArgumentsOf(ToolCommand command) => new[] { command.Argument, command.Then }.OfType<ToolArgument>();

    private static IEnumerable<JobOption> OptionsOf(ToolCommand command) => command.Options.Append(RunOptions.OutputOption);

    private string Help() => string.Join(
        '\n',
        [
            _tool.Summary, "", "Usage:", $"  {_tool.Name} <command> [options]", "", "Commands:",
            .. _commands.Select(c => $"  {c.Name,-26} {c.Summary}"),
            "", $"  {_tool.Name} <command> --help lists a command's options.", "",
            .. JobCommand.HelpOf([RunOptions.OutputOption]), "", .. Environment, .. ExitStatus,
        ]);

    private string Help(ToolCommand command) => string.Join(
        '\n',
        [
            command.Summary, "", "Usage:",
            $"  {_tool.Name} {command.Name}{string.Concat(ArgumentsOf(command).Select(a => $" [{a.Name}]"))}{(command.Words is { } w ? $" {w.Usage}" : "")} [options]", "",
            .. ArgumentsOf(command).SelectMany(a => new[]
            {
                $"  {$"[{a.Name}]",-26} {a.Summary}{(a.Values.Count > 0 ? $" One of {string.Join(", ", a.Values)}." : "")}", "",
            }),
            .. command.Words is { } words ? [$"  {words.Usage,-26} {words.Summary}", ""] : Array.Empty<string>(),
            .. JobCommand.HelpOf(OptionsOf(command)), "", .. Environment, .. ExitStatus[..^1],
            command.Exit1 is { } meaning ? $"  1  {meaning}, or {ExitStatus[^1].TrimStart(' ', '1')}" : ExitStatus[^1],
        ]);

    private static readonly string[] Environment =
    [
        "Environment:", $"  {"DATABASE_URL",-26} PostgreSQL: a libpq URI or an Npgsql connection string.",
        "  An option beats its variable, the variable beats the default. .env.example lists all variables.", "",
    ];

    private static readonly string[] ExitStatus =
        ["Exit status:", "  0  done", "  1  anything else; one line on stderr says what and how to mend it"];
}
