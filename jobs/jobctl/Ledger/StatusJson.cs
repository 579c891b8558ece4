using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Ledger;

/// <summary>How every job stands, as one object: its members stay, others may be added.</summary>
internal static class StatusJson
{
    public static Task WriteAsync(ToolRun run, StatusView view, IReadOnlyList<JobStatus> jobs, IReadOnlyList<Problem> problems, BusinessZone zone) => AnswerJson.WriteAsync(run, json =>
    {
        json.Members(("command", "status"), ("generated_at", view.Now), ("time_zone", zone.Id), ("ok", !problems.Any(p => p.Wrong)));
        json.List("jobs", jobs, job =>
        {
            var row = job.Row;
            json.Members(
                ("job", job.Job.Name), ("schedule", job.Job.Schedule), ("state", job.State), ("late", job.Late), ("failing", job.Failing),
                ("failures_in_a_row", row.FailuresInARow), ("last_success_at", row.LastSuccessAt), ("next_due_at", job.NextDueAt),
                ("parked_items", row.Parked), ("skipped_at", row.SkippedAt));
            json.Object("last_run", row.Id is null ? null : row, last =>
            {
                json.Members(
                    ("run_id", last.Id), ("status", last.Status), ("trigger", last.Trigger), ("shard", last.Shard), ("as_of", last.AsOf), ("partial", last.Partial),
                    ("started_at", last.StartedAt), ("finished_at", last.FinishedAt), ("duration_ms", RunRow.Milliseconds(last.StartedAt, last.FinishedAt)),
                    ("error", last.Error), ("host", last.Host), ("version", last.Version));
                json.Raw("counters", last.Counters);
            });
            json.Object("paused", job.Pause, pause => json.Members(("reason", pause.Reason), ("until", pause.Until), ("actor", pause.Actor), ("since", pause.CreatedAt)));
            json.List("running", job.Running, run => json.Members(
                ("run_id", run.Id), ("shard", run.Shard), ("started_at", run.StartedAt), ("trigger", run.Trigger), ("host", run.Host), ("holder", run.Holder),
                ("lease_expires_at", run.ExpiresAt), ("lease_alive", run.Alive)));
            json.Object("never_ended", job.Lost, lost => json.Members(
                ("run_id", lost.Id), ("shard", lost.Shard), ("started_at", lost.StartedAt), ("closed_at", lost.ClosedAt), ("host", lost.Host), ("skipped_since", lost.Skipped)));
            json.List("backlog", job.Backlog, backlog => json.Members(
                ("name", backlog.Name), ("count", backlog.Count), ("or_more", backlog.OrMore), ("oldest_at", backlog.OldestAt)));
        });
        json.List("problems", problems, problem =>
        {
            json.Members(("wrong", problem.Wrong), ("job", problem.Job), ("what", problem.What));
            json.WriteStartArray("todo");
            foreach (var todo in problem.Todo)
            {
                json.WriteStringValue(todo);
            }

            json.WriteEndArray();
        });
    });
}
