// autopayment as a job in Node: due subscriptions twenty at a time through a pool, committed one by one, at most as many requests
// a second as are allowed. Leaves the same rows behind as the job. What it lacks is what the tests are about: an attempt whose
// answer was lost stays pending until somebody looks, two at once get in each other's way, and every decline is treated alike.
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import pg from 'pg';
import Stripe from 'stripe';

const DUE = `
SELECT s.id, s.user_id, s.plan_id, s.ended_at::text, p.code, p.amount_minor::int, p.currency, u.provider_customer_id AS customer,
       coalesce(last.provider_payment_method_id, u.default_payment_method_id) AS method,
       (s.ended_at AT TIME ZONE 'Europe/Paris')::date::text AS period_start
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
  AND (s.ended_at, s.id) > ($1::timestamptz, $2::bigint)
ORDER BY s.ended_at, s.id
LIMIT $3`;

const ATTEMPT = `
INSERT INTO payments (user_id, subscription_id, plan_id, purpose, amount_minor, currency, status, method, provider, provider_customer_id,
                      provider_payment_method_id, idempotency_key, period_start, sent_at)
VALUES ($1, $2, $3, 'subscription', $4, $5, 'pending', 'card', 'stripe', $6, $7, $8, $9, clock_timestamp())
RETURNING id`;

const PAID = `
UPDATE payments SET status = 'succeeded', succeeded_at = now(), provider_payment_id = $1, updated_at = now()
WHERE id = $2 AND status = 'pending'`;

// The anchor day, clamped to the month; the local time of day stays.
const EXTENDED = `
UPDATE subscriptions AS s
SET status = 'active', payment_id = $1, retry_count = 0, next_attempt_at = NULL, last_decline_code = NULL, updated_at = now(),
    anchor_day = coalesce(s.anchor_day, extract(day FROM s.ended_at AT TIME ZONE 'Europe/Paris')),
    ended_at = CASE WHEN p.interval_unit IN ('month', 'year') THEN
        (month.first + (least(coalesce(s.anchor_day, extract(day FROM s.ended_at AT TIME ZONE 'Europe/Paris')),
                              extract(day FROM month.first + interval '1 month - 1 day'))::int - 1) * interval '1 day'
         + (s.ended_at AT TIME ZONE 'Europe/Paris')::time) AT TIME ZONE 'Europe/Paris'
    ELSE (s.ended_at AT TIME ZONE 'Europe/Paris' + p.interval_count * ('1 ' || p.interval_unit)::interval) AT TIME ZONE 'Europe/Paris' END
FROM plans AS p, subscriptions AS old,
     LATERAL (SELECT date_trunc('month', old.ended_at AT TIME ZONE 'Europe/Paris') + p.interval_count * ('1 ' || p.interval_unit)::interval AS first) AS month
WHERE s.id = $2 AND p.id = s.plan_id AND old.id = s.id
RETURNING s.ended_at`;

const RECEIPT = `
WITH counter AS (
    INSERT INTO receipt_counters AS c (series, year, last_number, last_issued_at)
    VALUES ('R', extract(year FROM now() AT TIME ZONE 'Europe/Paris'), 1, now())
    ON CONFLICT (series, year) DO UPDATE SET last_number = c.last_number + 1, last_issued_at = greatest(c.last_issued_at, excluded.last_issued_at)
    RETURNING year, last_number, last_issued_at
)
INSERT INTO receipts (number, payment_id, issued_at, amount_minor, currency)
SELECT year || '-' || lpad(last_number::text, 6, '0'), $1, last_issued_at, $2, $3 FROM counter
RETURNING number`;

const MAIL = `
INSERT INTO notifications (kind, user_id, to_address, locale, payload, dedupe_key)
SELECT 'payment_receipt', id, email, locale, $1, $2 FROM users WHERE id = $3 AND email <> ''
ON CONFLICT (dedupe_key) DO NOTHING`;

const AUDIT = `INSERT INTO audit_logs (actor, action, subject_type, subject_id, data) VALUES ('node', $1, $2, $3, $4)`;

const FAILED = `UPDATE payments SET status = 'failed', failure_code = $1, updated_at = now() WHERE id = $2`;

const PAST_DUE = `
UPDATE subscriptions SET status = 'past_due', retry_count = retry_count + 1, next_attempt_at = now() + interval '1 day', last_decline_code = $1,
       updated_at = now()
WHERE id = $2`;

const CONCURRENCY = 20;
const { values } = parseArgs({ options: { limit: { type: 'string' } } });
const limit = Number(values.limit ?? 1e9);
const base = new URL(process.env.STRIPE_API_BASE ?? 'https://api.stripe.com');
const stripe = new Stripe(process.env.STRIPE_SECRET_KEY, {
  protocol: base.protocol.slice(0, -1),
  host: base.hostname,
  port: base.port || (base.protocol === 'https:' ? 443 : 80),
  telemetry: false,
});
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: CONCURRENCY });
const pause = 1000 / Number(process.env.STRIPE_MAX_REQUESTS_PER_SECOND ?? 20);
let next = 0;

/** Whoever may go next, one after the other. */
async function turn() {
  const now = performance.now();
  const at = Math.max(now, next);
  next = at + pause;
  if (at > now) await new Promise((resolve) => setTimeout(resolve, at - now));
}

async function transaction(work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (e) {
    await client.query('ROLLBACK');
    throw e;
  } finally {
    client.release();
  }
}

async function charge(due) {
  const key = randomUUID();
  const payment = await transaction(async (tx) => {
    const { rows: [{ id }] } = await tx.query(
      ATTEMPT, [due.user_id, due.id, due.plan_id, due.amount_minor, due.currency, due.customer, due.method, key, due.period_start]);
    await tx.query(AUDIT, ['payment.attempted', 'payment', id, { subscription_id: due.id, amount_minor: due.amount_minor }]);
    return id;
  });

  let intent;
  try {
    await turn();
    intent = await stripe.paymentIntents.create({
      amount: due.amount_minor,
      currency: due.currency,
      customer: due.customer,
      payment_method: due.method,
      confirm: true,
      off_session: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: {
        payment_id: payment, user_id: due.user_id, purpose: 'subscription', subscription_id: due.id, plan: due.code, period_start: due.period_start,
      },
    }, { idempotencyKey: key });
  } catch (e) {
    if (!(e instanceof Stripe.errors.StripeCardError)) throw e;
    const decline = e.decline_code ?? e.code;
    await transaction(async (tx) => {
      await tx.query(FAILED, [decline, payment]);
      await tx.query(PAST_DUE, [decline, due.id]);
      await tx.query(AUDIT, ['payment.failed', 'payment', payment, { code: decline }]);
    });
    console.error(`${new Date().toISOString()} subscription ${due.id}: declined, ${decline}`);
    return false;
  }

  if (intent.status !== 'succeeded') throw new Error(`${intent.id} is ${intent.status}`);
  const number = await transaction(async (tx) => {
    await tx.query(PAID, [intent.id, payment]);
    const { rows: [{ ended_at: periodEnd }] } = await tx.query(EXTENDED, [payment, due.id]);
    const { rows: [{ number }] } = await tx.query(RECEIPT, [payment, due.amount_minor, due.currency]);
    await tx.query(MAIL, [{
      payment_id: payment, receipt_number: number, amount_minor: due.amount_minor, currency: due.currency, purpose: 'subscription',
      subscription_id: due.id, period_start: due.period_start,
    }, `payment_receipt:${payment}`, due.user_id]);
    await tx.query(AUDIT, ['payment.succeeded', 'payment', payment, { provider_payment_id: intent.id, receipt: number }]);
    await tx.query(AUDIT, ['subscription.extended', 'subscription', due.id, { payment_id: payment, period_start: due.ended_at, period_end: periodEnd }]);
    return number;
  });
  console.error(`${new Date().toISOString()} subscription ${due.id}: payment ${payment}, receipt ${number}`);
  return true;
}

async function* dueSubscriptions() {
  let after = ['-infinity', 0];
  for (let left = limit; left > 0;) {
    const { rows } = await pool.query(DUE, [...after, Math.min(1000, left)]);
    if (rows.length === 0) return;
    yield* rows;
    left -= rows.length;
    after = [rows.at(-1).ended_at, rows.at(-1).id];
  }
}

let charged = 0;
let failed = 0;
const due = dueSubscriptions();

async function worker() {
  for (let { done, value } = await due.next(); !done; ({ done, value } = await due.next())) {
    try {
      if (await charge(value)) charged++;
    } catch (e) {
      failed++;
      console.error(`${new Date().toISOString()} subscription ${value.id}: ${e.message}`);
    }
  }
}

await Promise.all(Array.from({ length: Math.min(CONCURRENCY, limit) }, worker));
await pool.end();
console.log(JSON.stringify({ charged, failed }));
process.exitCode = failed ? 1 : 0;
