-- expire-subscriptions in plain SQL: psql -v ON_ERROR_STOP=1 -f expire_subscriptions.sql "$DATABASE_URL"
-- Update and audit row, 5,000 a batch, a transaction each, going on from the last key.
DO $$
DECLARE
    after_end timestamptz := '-infinity';
    after_id bigint := 0;
BEGIN
    LOOP
        WITH lapsed AS MATERIALIZED (
            SELECT id, ended_at FROM subscriptions
            WHERE status IN ('active', 'past_due') AND provider_subscription_id IS NULL
              AND ended_at < now() - interval '3 days' AND (ended_at, id) > (after_end, after_id)
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
            SELECT 'psql', 'subscription.expired', 'subscription', id, jsonb_build_object('ended_at', ended_at)
            FROM expired
        )
        SELECT ended_at, id INTO after_end, after_id FROM lapsed ORDER BY ended_at DESC, id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END
$$;
