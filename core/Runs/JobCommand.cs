using System.CommandLine;
using System.CommandLine.Parsing;
using Jobs.Database;

namespace Jobs.Runs;

/// <summary>The command line of a job: the common options, its own, help and version.</summary>
internal sealed class JobCommand
{
    private readonly JobDefinition _job;
    private readonly JobOption[] _options;
    private readonly Command _command;

    // A RootCommand has them too, and reads their descriptions from resources at every start; and directives such as [suggest].
    private readonly Option<bool> _help = new("--help", "-h", "-?", "/?", "/h");
    private readonly Option<bool> _version = new("--version");

    public JobCommand(JobDefinition job, JobOption[] own)
    {
        _job = job;
        _options = [.. RunOptions.All, .. own];
        _command = new Command(job.Name) { _help, _version };
        foreach (var option in _options)
        {
            _command.Options.Add(option.CommandLineOption);
        }
    }

    // Nor are files named by @ read: their content would end up in an error message.
    public ParseResult Parse(string[] args) => _command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    /// <returns>The exit code when --help or --version was asked for, else null.</returns>
    public int? HelpOrVersion(ParseResult parsed, TextWriter output)
    {
        if (parsed.GetResult(_help) is { Implicit: false })
        {
            output.WriteLine(Help());
            return 0;
        }

        if (parsed.GetResult(_version) is { Implicit: false } && parsed.Errors.Count == 0)
        {
            output.WriteLine(JobProgram.Version);
            return 0;
        }

        return null;
    }

    /// <summary>Refuses what the parser did not understand, with the option that was probably meant.</summary>
    public void Check(ParseResult parsed)
    {
        var stray = parsed.Tokens.Where(t => t.Type == TokenType.Directive).Select(t => t.Value).Concat(parsed.UnmatchedTokens);
        if (stray.FirstOrDefault() is { } token)
        {
            var near = Suggestion.Nearest(token.Split('=', ':')[0], _options.Select(o => o.Name).Append("--help").Append("--version"));
            throw new OperatorException(near is null || near == token
                ? $"'{token}' is not an option of {_job.Name}; see {_job.Name} --help"
                : $"'{token}' is not an option of {_job.Name}; did you mean {near}?");
        }

        if (parsed.Errors is [var error, ..])
        {
            throw new OperatorException(error.Message.TrimEnd('.') + $"; see {_job.Name} --help");
        }
    }

    public JobOptions Read(ParseResult parsed, Settings settings) =>
        new(_options.ToDictionary(o => o, o => o.Read(parsed, settings)));

    private string Help()
    {
        var lines = new List<string>
        {
            _job.Summary, "", "Usage:", $"  {_job.Name} [options]", "",
        };
        lines.AddRange(HelpOf(_options));
        lines.AddRange(
        [
            "", "Environment:", $"  {"DATABASE_URL",-26} PostgreSQL: a libpq URI or an Npgsql connection string.",
            .. _job.Needs.Select(n => $"  {n,-26} Needed. As a secret it may come as {n}_FILE."),
            "  An option beats its variable, the variable beats the default. .env.example lists all variables.",
            "", $"Default time-out: {Duration.Format(_job.Timeout)}."
                + (_job.Schedule is null ? " Started on demand." : $" Schedule: {_job.Schedule} (business zone)."),
            "", "Exit status:",
            _job.Kind == JobKind.OnDemand ? "  0  done, now or before" : "  0  done, nothing to do, or skipped (paused, or another run holds the lease)",
            "  1  anything else; one line on stderr says what and how to mend it",
        ]);
        return string.Join('\n', lines);
    }

    /// <summary>The lines about options, each with its variable.</summary>
    internal static IEnumerable<string> HelpOf(IEnumerable<JobOption> options) =>
    [
        "Options:",
        .. options.Select(o => o.CommandLineOption).Select(option =>
            $"  {(option is Option<bool> ? option.Name : $"{option.Name} <{option.HelpName}>"),-26} {option.Description}"),
        $"  {"--help",-26} Show this.",
        $"  {"--version",-26} Show the version.",
    ];
}

/// <summary>The options' values: the command line's, else the environment's, else the default.</summary>
public sealed class JobOptions
{
    private readonly Dictionary<JobOption, object?> _values;

    internal JobOptions(Dictionary<JobOption, object?> values) => _values = values;

    public T Get<T>(JobOption<T> option) => (T)_values[option]!;
}
