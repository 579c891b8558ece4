using System.CommandLine;

namespace Jobs.Runs;

/// <summary>
/// An option of a job. Its value is, in this order: the command line's, the environment variable's
/// (<see cref="EnvironmentVariable"/>, by default JOBS_ and the name), the default.
/// </summary>
public abstract class JobOption
{
    private protected JobOption(string name, string valueName, string description, string? environmentVariable, bool required)
    {
        (Name, Required) = (name, required);
        EnvironmentVariable = environmentVariable
            ?? "JOBS_" + name.TrimStart('-').Replace('-', '_').ToUpperInvariant();
        var help = $"{description}{(required ? " Needed." : "")} [env: {EnvironmentVariable}]";
        CommandLineOption = IsFlag(valueName)
            ? new Option<bool>(name) { Description = help }
            : new Option<string>(name) { Description = help, HelpName = valueName };
    }

    public string Name { get; }
    private protected bool Required { get; }
    public string EnvironmentVariable { get; }
    internal Option CommandLineOption { get; }

    internal static bool IsFlag(string valueName) => valueName.Length == 0;

    internal abstract object? Read(ParseResult parsed, Settings settings);
}

/// <param name="parse">Turns text into the value; a <see cref="FormatException"/> says what was expected ("a whole number above 0").</param>
/// <param name="required">Without it, or its variable, nothing is begun.</param>
public sealed class JobOption<T>(
    string name, string valueName, string description, Func<string, T> parse, T defaultValue, string? environmentVariable = null,
    bool required = false)
    : JobOption(name, valueName, description, environmentVariable, required)
{
    private readonly bool _flag = IsFlag(valueName);

    internal override object? Read(ParseResult parsed, Settings settings)
    {
        if (parsed.GetResult(CommandLineOption) is { Implicit: false })
        {
            var text = _flag
                ? parsed.GetValue((Option<bool>)CommandLineOption) ? "true" : "false"
                : parsed.GetValue((Option<string>)CommandLineOption) ?? "";
            return Parse(Name, text);
        }

        return settings.Optional(EnvironmentVariable) is { } value ? Parse(EnvironmentVariable, value)
            : Required ? throw new OperatorException($"{Name} is missing; give it, or set {EnvironmentVariable}")
            : defaultValue;
    }

    private T Parse(string source, string text)
    {
        try
        {
            return parse(text);
        }
        catch (FormatException e)
        {
            throw new OperatorException($"{source} must be {e.Message}, not '{text}'", e);
        }
    }
}
