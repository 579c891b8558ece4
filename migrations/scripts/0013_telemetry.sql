-- The last of a job's runs, without walking past those that were skipped; and the last success that says something about the job.
CREATE INDEX job_runs_unskipped ON job_runs (job, started_at DESC) WHERE status <> 'skipped';
CREATE INDEX job_runs_whole_successes ON job_runs (job, started_at DESC) WHERE status = 'succeeded' AND NOT partial;

-- Also those that staff were told of: they stay unknown until somebody settles them.
CREATE INDEX notifications_unknown ON notifications (created_at) WHERE status = 'unknown';
