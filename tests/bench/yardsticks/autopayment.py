"""autopayment as a worker in Python: due subscriptions one after the other, committed one by one.

Leaves the same rows behind as the job. What it lacks is what the tests are about: an attempt whose answer was lost stays
pending until somebody looks, two at once get in each other's way, and every decline is treated alike.
"""

import argparse
import http.client
import json
import logging
import os
import time
import urllib.parse
import uuid

import psycopg2

DUE = """
SELECT s.id, s.user_id, s.plan_id, s.ended_at, p.code, p.amount_minor, p.currency, u.provider_customer_id,
       coalesce(last.provider_payment_method_id, u.default_payment_method_id), (s.ended_at AT TIME ZONE 'Europe/Paris')::date
FROM subscriptions AS s
JOIN plans AS p ON p.id = s.plan_id
JOIN users AS u ON u.id = s.user_id
LEFT JOIN payments AS last ON last.id = s.payment_id
WHERE s.status IN ('active', 'past_due') AND s.auto_renew AND NOT s.cancel_at_period_end AND p.recurring
  AND s.provider_subscription_id IS NULL
  AND s.ended_at < (date_trunc('day', now() AT TIME ZONE 'Europe/Paris') + interval '1 day') AT TIME ZONE 'Europe/Paris'
  AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= now())
  AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.status IN ('pending', 'processing', 'requires_action'))
  AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.period_start = (s.ended_at AT TIME ZONE 'Europe/Paris')::date
                  AND a.status IN ('succeeded', 'refunded', 'disputed'))
  AND coalesce(last.provider_payment_method_id, u.default_payment_method_id) IS NOT NULL AND u.provider_customer_id IS NOT NULL
  AND (s.ended_at, s.id) > (%s, %s)
ORDER BY s.ended_at, s.id
LIMIT %s
"""

ATTEMPT = """
INSERT INTO payments (user_id, subscription_id, plan_id, purpose, amount_minor, currency, status, method, provider, provider_customer_id,
                      provider_payment_method_id, idempotency_key, period_start, sent_at)
VALUES (%s, %s, %s, 'subscription', %s, %s, 'pending', 'card', 'stripe', %s, %s, %s, %s, clock_timestamp())
RETURNING id
"""

PAID = """
UPDATE payments SET status = 'succeeded', succeeded_at = now(), provider_payment_id = %s, updated_at = now()
WHERE id = %s AND status = 'pending'
"""

# The anchor day, clamped to the month; the local time of day stays.
EXTENDED = """
UPDATE subscriptions AS s
SET status = 'active', payment_id = %s, retry_count = 0, next_attempt_at = NULL, last_decline_code = NULL, updated_at = now(),
    anchor_day = coalesce(s.anchor_day, extract(day FROM s.ended_at AT TIME ZONE 'Europe/Paris')),
    ended_at = CASE WHEN p.interval_unit IN ('month', 'year') THEN
        (month.first + (least(coalesce(s.anchor_day, extract(day FROM s.ended_at AT TIME ZONE 'Europe/Paris')),
                              extract(day FROM month.first + interval '1 month - 1 day'))::int - 1) * interval '1 day'
         + (s.ended_at AT TIME ZONE 'Europe/Paris')::time) AT TIME ZONE 'Europe/Paris'
    ELSE (s.ended_at AT TIME ZONE 'Europe/Paris' + p.interval_count * ('1 ' || p.interval_unit)::interval) AT TIME ZONE 'Europe/Paris' END
FROM plans AS p, subscriptions AS old,
     LATERAL (SELECT date_trunc('month', old.ended_at AT TIME ZONE 'Europe/Paris') + p.interval_count * ('1 ' || p.interval_unit)::interval AS first) AS month
WHERE s.id = %s AND p.id = s.plan_id AND old.id = s.id
RETURNING s.ended_at
"""

RECEIPT = """
WITH counter AS (
    INSERT INTO receipt_counters AS c (series, year, last_number, last_issued_at)
    VALUES ('R', extract(year FROM now() AT TIME ZONE 'Europe/Paris'), 1, now())
    ON CONFLICT (series, year) DO UPDATE SET last_number = c.last_number + 1, last_issued_at = greatest(c.last_issued_at, excluded.last_issued_at)
    RETURNING year, last_number, last_issued_at
)
INSERT INTO receipts (number, payment_id, issued_at, amount_minor, currency)
SELECT year || '-' || lpad(last_number::text, 6, '0'), %s, last_issued_at, %s, %s FROM counter
RETURNING number
"""

MAIL = """
INSERT INTO notifications (kind, user_id, to_address, locale, payload, dedupe_key)
SELECT 'payment_receipt', id, email, locale, %s, %s FROM users WHERE id = %s AND email <> ''
ON CONFLICT (dedupe_key) DO NOTHING
"""

AUDIT = "INSERT INTO audit_logs (actor, action, subject_type, subject_id, data) VALUES ('python', %s, %s, %s, %s)"

FAILED = "UPDATE payments SET status = 'failed', failure_code = %s, updated_at = now() WHERE id = %s"

PAST_DUE = """
UPDATE subscriptions SET status = 'past_due', retry_count = retry_count + 1, next_attempt_at = now() + interval '1 day', last_decline_code = %s,
       updated_at = now()
WHERE id = %s
"""

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


class Stripe:
    """One connection that stays open; a lost answer is asked for again under the same key."""

    def __init__(self, base, key, requests_per_second):
        url = urllib.parse.urlsplit(base)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(url.hostname, url.port, timeout=30)
        self.key = key
        self.pause = 1 / requests_per_second
        self.next = 0.0

    def charge(self, fields, idempotency_key):
        for attempt in range(3):
            self.wait()
            try:
                self.connection.request(
                    "POST", "/v1/payment_intents", urllib.parse.urlencode(fields),
                    {
                        "Authorization": "Bearer " + self.key,
                        "Content-Type": "application/x-www-form-urlencoded",
                        "Idempotency-Key": idempotency_key,
                        "Stripe-Version": "2026-10-28.endive",
                    })
                response = self.connection.getresponse()
                status, body = response.status, json.loads(response.read())
                if status < 500 and status not in (409, 429):
                    return status, body
            except (OSError, http.client.HTTPException, ValueError):
                self.connection.close()
                if attempt == 2:
                    raise
            time.sleep(0.5 * 2**attempt)
        raise RuntimeError("Stripe answered %d: %s" % (status, body))

    def wait(self):
        now = time.monotonic()
        if now < self.next:
            time.sleep(self.next - now)
        self.next = max(now, self.next) + self.pause


def charge(connection, stripe, due):
    subscription, user, plan, ended_at, code, amount, currency, customer, method, period_start = due
    key = str(uuid.uuid4())
    with connection, connection.cursor() as cursor:
        cursor.execute(ATTEMPT, (user, subscription, plan, amount, currency, customer, method, key, period_start))
        payment = cursor.fetchone()[0]
        cursor.execute(AUDIT, ("payment.attempted", "payment", payment, json.dumps({"subscription_id": subscription, "amount_minor": amount})))

    status, answer = stripe.charge(
        {
            "amount": amount,
            "currency": currency,
            "customer": customer,
            "payment_method": method,
            "confirm": "true",
            "off_session": "true",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "metadata[payment_id]": payment,
            "metadata[user_id]": user,
            "metadata[purpose]": "subscription",
            "metadata[subscription_id]": subscription,
            "metadata[plan]": code,
            "metadata[period_start]": period_start.isoformat(),
        },
        key)

    with connection, connection.cursor() as cursor:
        if status == 402:
            decline = answer["error"].get("decline_code") or answer["error"].get("code")
            cursor.execute(FAILED, (decline, payment))
            cursor.execute(PAST_DUE, (decline, subscription))
            cursor.execute(AUDIT, ("payment.failed", "payment", payment, json.dumps({"code": decline})))
            logging.info("subscription %d: declined, %s", subscription, decline)
            return False
        if status != 200 or answer["status"] != "succeeded":
            raise RuntimeError("subscription %d: Stripe answered %d: %s" % (subscription, status, answer))
        cursor.execute(PAID, (answer["id"], payment))
        cursor.execute(EXTENDED, (payment, subscription))
        period_end = cursor.fetchone()[0]
        cursor.execute(RECEIPT, (payment, amount, currency))
        number = cursor.fetchone()[0]
        mail = {
            "payment_id": payment, "receipt_number": number, "amount_minor": amount, "currency": currency, "purpose": "subscription",
            "subscription_id": subscription, "period_start": period_start.isoformat(),
        }
        cursor.execute(MAIL, (json.dumps(mail), "payment_receipt:%d" % payment, user))
        cursor.execute(AUDIT, ("payment.succeeded", "payment", payment, json.dumps({"provider_payment_id": answer["id"], "receipt": number})))
        cursor.execute(AUDIT, ("subscription.extended", "subscription", subscription, json.dumps(
            {"payment_id": payment, "period_start": ended_at.isoformat(), "period_end": period_end.isoformat()})))
    logging.info("subscription %d: payment %d, receipt %s", subscription, payment, number)
    return True


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--limit", type=int, default=10**9)
    limit = arguments.parse_args().limit
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    stripe = Stripe(
        os.environ.get("STRIPE_API_BASE", "https://api.stripe.com"), os.environ["STRIPE_SECRET_KEY"],
        float(os.environ.get("STRIPE_MAX_REQUESTS_PER_SECOND", "20")))
    tried = charged = failed = 0
    after = ("-infinity", 0)
    while tried < limit:
        with connection, connection.cursor() as cursor:
            cursor.execute(DUE, (*after, min(1000, limit - tried)))
            batch = cursor.fetchall()
        if not batch:
            break
        for due in batch:
            try:
                charged += charge(connection, stripe, due)
            except Exception:
                failed += 1
                logging.exception("subscription %d", due[0])
        tried += len(batch)
        after = (batch[-1][3], batch[-1][0])
    connection.close()
    print(json.dumps({"charged": charged, "failed": failed}))
    raise SystemExit(1 if failed else 0)


main()
