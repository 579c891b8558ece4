// expire-subscriptions as a job in Node: 5,000 a batch, a transaction each, going on from the last key.
import pg from 'pg';

const EXPIRE = `
WITH lapsed AS MATERIALIZED (
    SELECT id, ended_at FROM subscriptions
    WHERE status IN ('active', 'past_due') AND provider_subscription_id IS NULL
      AND ended_at < now() - interval '3 days' AND (ended_at, id) > ($1::timestamptz, $2::bigint)
    ORDER BY ended_at, id
    LIMIT 5000
    FOR NO KEY UPDATE SKIP LOCKED
),
expired AS (
    UPDATE subscriptions AS s
    SET status = 'expired', next_attempt_at = NULL, updated_at = clock_timestamp()
    FROM lapsed
    WHERE s.id = lapsed.id
    RETURNING s.id, s.ended_at
),
audit AS (
    INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
    SELECT 'node', 'subscription.expired', 'subscription', id, jsonb_build_object('ended_at', ended_at)
    FROM expired
)
SELECT (count(*) OVER ())::int AS count, ended_at::text, id FROM lapsed ORDER BY lapsed.ended_at DESC, id DESC LIMIT 1`;

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
let expired = 0;
let after = ['-infinity', 0];
for (;;) {
  const { rows: [row] } = await client.query(EXPIRE, after);
  if (!row) break;
  expired += row.count;
  after = [row.ended_at, row.id];
}
await client.end();
console.error(`${new Date().toISOString()} ${expired} subscriptions expired`);
console.log(JSON.stringify({ expired }));
