using System.Diagnostics;

namespace Jobs;

/// <summary>pg_restore at work on a database made for it; it is fed the plain dump.</summary>
internal sealed class Restore : IAsyncDisposable
{
    // What another server may lack, and what proves nothing about the rows.
    private static readonly string[] ToProve =
        ["--no-comments", "--no-publications", "--no-subscriptions", "--no-security-labels", "--no-tablespaces"];

    private static readonly string[] AtTheFirstError = ["--exit-on-error"];

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly bool _tolerant;

    private Restore(Child program, bool tolerant) => (Program, _tolerant) = (program, tolerant);

    public Child Program { get; }

    public static Restore Into(Scratch scratch, PostgresPrograms programs, bool toProve)
    {
        // pg_restore 17 asks for a setting that older servers do not have, and nothing comes of it.
        var tolerant = programs.Major >= 17 && scratch.Major < 17;
        var program = programs.Start(
            "pg_restore",
            [
                "--dbname", scratch.Name, "--no-owner", "--no-privileges", "--no-password",
                // Its messages also end it when this process is gone: nobody reads them any more.
                "--verbose",
                .. tolerant ? [] : AtTheFirstError,
                .. toProve ? ToProve : [],
            ],
            scratch.Environment,
            null);
        return new Restore(program, tolerant);
    }

    /// <returns>How long it took.</returns>
    /// <exception cref="DamagedException">The dump cannot be restored.</exception>
    public async Task<TimeSpan> EndAsync(CancellationToken cancellation)
    {
        var exit = await Program.ExitAsync(cancellation);
        var harmless = _tolerant
            && Program.Told.Where(line => line.Contains("error:", StringComparison.Ordinal)).All(line => line.Contains("\"transaction_timeout\"", StringComparison.Ordinal));
        return exit == 0 || harmless ? _clock.Elapsed : throw new DamagedException($"it cannot be restored: {Program.Failure().Message}");
    }

    public ValueTask DisposeAsync() => Program.DisposeAsync();
}
