using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>One row per changed business row, in the transaction of the change.</summary>
public static class Audit
{
    private const string Insert =
        """
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        VALUES (@Actor, @action, @subjectType, @subjectId, @RunId, @data::jsonb)
        """;

    /// <param name="subjectType">The singular table name.</param>
    /// <param name="data">A JSON object: what changed, and why.</param>
    public static Task AuditAsync(this Tx tx, JobRun run, string action, string subjectType, long subjectId, string data) =>
        tx.ExecuteAsync(Insert, new { Actor = run.Job.Name, action, subjectType, subjectId, RunId = run.Id, data });
}
