using System.Text;
using Jobs.Runs;

namespace Jobs.Tests.Rig;

/// <summary>
/// A whole job inside the test's process: its command line, its environment, its output and its exit code are as in a process of its own,
/// and so are PostgreSQL, HTTP and SMTP. Signals, kills and what ships need a <see cref="JobProcess"/>.
/// </summary>
public sealed class JobInProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly MemoryStream _output = new();
    private readonly Stream _stdout;
    private readonly StringWriter _words = new();
    private readonly Task<int> _end;
    private readonly string _job;

    private JobInProcess(string job, Dictionary<string, string> variables, string[] args)
    {
        _job = job;
        _stdout = Stream.Synchronized(_output);
        var run = JobTable.Find(job) ?? throw new ArgumentException($"there is no job {job}", nameof(job));
        var context = new ProgramContext(variables, _stdout, TextWriter.Synchronized(_words));
        _end = Task.Run(() => run(args, context));
    }

    /// <summary>For parts of a job that are tried by themselves: no variables, no output.</summary>
    public static ProgramContext Silent { get; } = new(new Dictionary<string, string>(), Stream.Null, TextWriter.Null);

    public bool HasExited => _end.IsCompleted;

    /// <summary>Starts with exactly these variables (and PATH): nothing leaks in from the tests' own environment.</summary>
    /// <param name="job">Its name.</param>
    /// <param name="environment">Variables without a value are left out.</param>
    /// <param name="args">The command line.</param>
    public static JobInProcess Start(string job, IEnumerable<KeyValuePair<string, string?>> environment, params string[] args)
    {
        var variables = environment.Where(v => v.Value is not null).ToDictionary(v => v.Key, v => v.Value!, StringComparer.Ordinal);
        variables.TryAdd("PATH", Environment.GetEnvironmentVariable("PATH") ?? "");
        return new JobInProcess(job, variables, args);
    }

    public async Task<JobResult> EndAsync(TimeSpan? within = null)
    {
        try
        {
            return new JobResult(await _end.WaitAsync(within ?? Patience), Encoding.UTF8.GetString(_output.ToArray()), _words.ToString());
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{_job} did not end in time\n{Encoding.UTF8.GetString(_output.ToArray())}\n{_words}", e);
        }
    }

    public void Dispose()
    {
        _stdout.Dispose();
        _words.Dispose();
    }
}
