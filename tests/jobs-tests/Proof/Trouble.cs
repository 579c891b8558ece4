namespace Jobs.Tests.Proof;

/// <summary>What a job is put through: the columns of the proof's table, in this order.</summary>
public enum Trouble
{
    /// <summary>SIGKILL before or after a round trip to the database.</summary>
    KilledAtRoundTrip,

    /// <summary>SIGKILL before or after a call of a provider, a step of a mail conversation or of work on files.</summary>
    KilledAtCall,

    /// <summary>A reply that is lost, late, broken or an error, at one call of a provider, a mail server or a bucket.</summary>
    ProviderFault,

    /// <summary>PostgreSQL restarts, hangs up, refuses or is full; a pooler stands in between.</summary>
    DatabaseFault,

    /// <summary>Two runs of the job at once, whose leases keep nobody away.</summary>
    TwoAtOnce,

    /// <summary>The job and another one that touches the same rows, at once.</summary>
    OtherJobAtOnce,

    /// <summary>SIGKILL in the midst of the work, on a host of which the next run knows nothing; that one is started at once, or a little later.</summary>
    KilledElsewhere,

    /// <summary>The process stands still while another run takes its lease and its work, and then goes on.</summary>
    Frozen,

    /// <summary>Days, months, time zones and clocks that are put forward and back, against an independent oracle.</summary>
    Calendar,

    /// <summary>Garbage in options, variables, addresses, rows and answers.</summary>
    HostileInput,

    /// <summary>Paths through a model of the job, each of them walked by the real code.</summary>
    Model,
}
