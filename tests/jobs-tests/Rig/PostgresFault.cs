namespace Jobs.Tests.Rig;

/// <summary>
/// What goes wrong at one round trip: the connection is cut, unless an error is answered or the round trip goes on.
/// </summary>
/// <param name="Phase">Before the server hears of it, or when it has done it.</param>
public sealed record PostgresFault(Phase Phase)
{
    public static readonly PostgresFault CutBefore = new(Phase.Before);
    public static readonly PostgresFault CutAfter = new(Phase.After);

    /// <summary>Half of the answer arrives.</summary>
    public static readonly PostgresFault CutWithin = new(Phase.After) { Halfway = true };

    public bool Halfway { get; init; }

    /// <summary>All connections are cut, not only this one.</summary>
    public bool Everywhere { get; init; }

    /// <summary>Each further time of the step meets the same.</summary>
    public bool Lasts { get; init; }

    /// <summary>
    /// The error that is answered. The server itself raises it in place of the statements, so that its transaction and the client's
    /// agree; one that ends the connection is said by the proxy when the server has rolled back or, after the round trip, done all.
    /// </summary>
    public string? SqlState { get; init; }

    /// <summary>Done while the round trip is held up.</summary>
    public Func<Task>? Meanwhile { get; init; }

    /// <summary>The connection stays, and the round trip is carried out and answered.</summary>
    public bool GoesOn { get; init; }

    /// <summary>Such an error is the last thing that a server says: admin shutdown, starting up, too many connections.</summary>
    public bool IsFatal => SqlState is "53300" or ['5', '7', 'P', ..];

    /// <param name="sqlState">Five characters.</param>
    /// <param name="phase">After the round trip only for one that ends the connection.</param>
    public static PostgresFault Error(string sqlState, Phase phase = Phase.Before) => new(phase) { SqlState = sqlState };
}
