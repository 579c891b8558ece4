namespace Jobs.Billing;

/// <summary>Who changes rows, and when: a run, or an application that uses the services itself.</summary>
/// <param name="Actor">In the audit rows: the job's name, or what the application calls itself.</param>
/// <param name="RunId">Null outside a run.</param>
/// <param name="Now">The business time of what is written, UTC.</param>
public sealed record Origin(string Actor, Guid? RunId, DateTime Now);
