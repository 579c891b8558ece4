using Jobs.Database;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Jobs.Runs;

/// <summary>What a command of the operator's tool works with.</summary>
public sealed class ToolRun : IAsyncDisposable
{
    private readonly JobDefinition _tool;
    private readonly JobOptions _options;
    private readonly Redaction _redaction;
    private readonly StopSignal _stop;
    private readonly Lazy<NpgsqlDataSource> _source;

    internal ToolRun(JobDefinition tool, JobOptions options, string? argument, Settings settings, Redaction redaction, StopSignal stop, ProgramContext context)
    {
        (_tool, _options, Argument, Settings, _redaction, _stop, Context) = (tool, options, argument, settings, redaction, stop, context);
        _source = new(() => JobProgram.Connect(tool, settings));
    }

    public string Name => _tool.Name;
    public Settings Settings { get; }

    /// <summary>Where its words go.</summary>
    public ProgramContext Context { get; }

    /// <summary>The word after the command's name, one of its values; null when none was given.</summary>
    public string? Argument { get; }

    /// <summary>The word after that one.</summary>
    public string? SecondArgument { get; internal init; }

    /// <summary>Those after the arguments.</summary>
    public IReadOnlyList<string> Words { get; internal set; } = [];

    /// <summary>Whatever follows <c>--</c>.</summary>
    public IReadOnlyList<string> Rest { get; internal set; } = [];

    /// <summary>What the command answers with when nothing went wrong, for a probe.</summary>
    public int ExitCode { get; set; }

    public OutputFormat Output => _options.Get(RunOptions.OutputOption);

    /// <summary>SIGTERM or SIGINT came. A command that ends by itself then ends well.</summary>
    public CancellationToken Stopping => _stop.Stopping;

    /// <summary>The signal's name; null: none came.</summary>
    public string? StoppedBy => _stop.Detail;

    public T Get<T>(JobOption<T> option) => _options.Get(option);

    /// <summary>The database of DATABASE_URL; nothing is connected to yet.</summary>
    public NpgsqlDataSource Source => _source.Value;

    /// <summary>For a connection that stays open and listens: never pooled, asked for a sign of life.</summary>
    public NpgsqlDataSource ListeningSource() => JobProgram.Connect(_tool, Settings, connection =>
    {
        connection.Pooling = false;
        connection.KeepAlive = 10;
    });

    /// <param name="readOnly">PostgreSQL itself refuses every write.</param>
    public Db Database(bool readOnly) => new(Source, readOnly, NullLogger<Db>.Instance);

    /// <summary>The business rules and the providers, for what a person does: their rows bear that name, and no run.</summary>
    public Task<ToolServices> ActAsync(string actor, bool dryRun) => ToolServices.OpenAsync(_tool, _options, Settings, _stop, Context, Database(dryRun), actor);

    /// <summary>What went wrong as an operator reads it, without secrets.</summary>
    public string Sentence(Exception e) => _redaction.Strike(Failures.Sentence(e));

    /// <summary>A line on stderr about something that does not end the command.</summary>
    public Task WarnAsync(string sentence) => Context.Error.WriteLineAsync($"{Name}: {_redaction.Strike(sentence)}");

    public async ValueTask DisposeAsync()
    {
        if (_source.IsValueCreated)
        {
            await _source.Value.DisposeAsync();
        }
    }
}
