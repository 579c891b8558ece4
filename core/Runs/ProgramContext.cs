namespace Jobs.Runs;

/// <summary>
/// What a program has around it: its variables, its output, and whether the process is its own. A program runs in
/// <see cref="OfProcess"/>. A test gives another one, so that a whole run happens inside the test's process.
/// </summary>
public sealed class ProgramContext
{
    /// <summary>The process itself: its environment and its console.</summary>
    public static ProgramContext OfProcess { get; } = new(Settings.VariablesOfProcess(), Console.OpenStandardOutput, () => Console.Out, () => Console.Error)
    {
        OwnsProcess = true,
        OutputIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
    };

    private readonly Func<Stream> _openOutput;
    private readonly Func<TextWriter> _output;
    private readonly Func<TextWriter> _error;

    private ProgramContext(IReadOnlyDictionary<string, string> variables, Func<Stream> openOutput, Func<TextWriter> output, Func<TextWriter> error) =>
        (Variables, _openOutput, _output, _error) = (variables, openOutput, output, error);

    /// <param name="variables">All that the program is to find in its environment.</param>
    /// <param name="output">Takes what a process would write to stdout; it is never closed.</param>
    /// <param name="error">Takes what a process would write to stderr, from several threads at once.</param>
    public ProgramContext(IReadOnlyDictionary<string, string> variables, Stream output, TextWriter error)
    {
        var text = new StreamWriter(output, leaveOpen: true) { AutoFlush = true };
        (Variables, _openOutput, _output, _error) = (variables, () => new Unclosed(output), () => text, () => error);
    }

    public IReadOnlyDictionary<string, string> Variables { get; }

    /// <summary>Whether signals are heard and the process is ended when a run does not end by itself.</summary>
    public bool OwnsProcess { get; private init; }

    public bool OutputIsTerminal { get; private init; }
    public bool ErrorIsTerminal { get; private init; }

    public TextWriter Output => _output();
    public TextWriter Error => _error();

    /// <summary>Stdout for bytes; to be disposed of.</summary>
    public Stream OpenOutput() => _openOutput();

    private sealed class Unclosed(Stream inner) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() => inner.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);
        public override void Write(ReadOnlySpan<byte> buffer) => inner.Write(buffer);
    }
}
