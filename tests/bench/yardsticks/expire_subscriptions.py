"""expire-subscriptions as a worker in Python: 5,000 a batch, a transaction each, going on from the last key."""

import json
import logging
import os

import psycopg2

EXPIRE = """
WITH lapsed AS MATERIALIZED (
    SELECT id, ended_at FROM subscriptions
    WHERE status IN ('active', 'past_due') AND provider_subscription_id IS NULL
      AND ended_at < now() - interval '3 days' AND (ended_at, id) > (%s, %s)
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
    SELECT 'python', 'subscription.expired', 'subscription', id, jsonb_build_object('ended_at', ended_at)
    FROM expired
)
SELECT count(*) OVER (), ended_at, id FROM lapsed ORDER BY ended_at DESC, id DESC LIMIT 1
"""

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


def main():
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    expired, after = 0, ("-infinity", 0)
    while True:
        with connection, connection.cursor() as cursor:
            cursor.execute(EXPIRE, after)
            row = cursor.fetchone()
        if row is None:
            break
        expired, after = expired + row[0], row[1:]
    connection.close()
    logging.info("%d subscriptions expired", expired)
    print(json.dumps({"expired": expired}))


main()
