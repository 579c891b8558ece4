-- A small business for compose.yaml's PostgreSQL; compose-seed.json is its other half, the customers and cards at the fake Stripe.
--
--     docker compose -f docker/compose.yaml run --rm seed
--
-- A database that holds people or plans stays as it is, so that a second run changes nothing. Any server but compose.yaml's is refused.

SELECT :'HOST' = 'postgres' AS ours \gset
\if :ours
\else
    \warn 'This seeds only the PostgreSQL of compose.yaml: nothing was changed.'
    SELECT 1 / 0 AS refused;
\endif

BEGIN;
LOCK TABLE users, plans;
SELECT EXISTS (SELECT FROM users) OR EXISTS (SELECT FROM plans) AS taken \gset
\if :taken
    COMMIT;
    \echo 'The database holds people or plans already: nothing was changed.'
    \q
\endif

INSERT INTO plans (id, code, name, amount_minor, currency, interval_unit)
VALUES (1, 'monthly', 'Monthly subscription', 1500, 'eur', 'month'),
       (2, 'yearly', 'Yearly subscription', 15000, 'eur', 'year');

INSERT INTO users (id, email, name, locale, role, provider_customer_id, default_payment_method_id)
VALUES (1, 'ada@example.org', 'Ada Martin', 'fr', 'member', 'cus_ada', 'pm_ada'),
       (2, 'office@example.org', 'Grace at the desk', 'en', 'staff', NULL, NULL),
       (3, 'bruno@example.org', 'Bruno Keller', 'en', 'member', 'cus_bruno', 'pm_bruno'),
       -- Her bank refuses: insufficient funds.
       (4, 'chloe@example.org', 'Chloé Petit', 'fr', 'member', 'cus_chloe', 'pm_chloe'),
       -- His bank wants him to confirm.
       (5, 'dmitri@example.org', 'Дмитрий Орлов', 'ru', 'member', 'cus_dmitri', 'pm_dmitri'),
       (6, 'elena@example.org', 'Elena Rossi', 'en', 'member', 'cus_elena', 'pm_elena'),
       (7, 'farid@example.org', 'Farid Benali', 'fr', 'member', NULL, NULL),
       (8, 'hana@example.org', 'Hana Novak', 'en', 'member', 'cus_hana', 'pm_hana'),
       (9, 'ivo@example.org', 'Ivo Horvat', 'en', 'member', NULL, NULL);

INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
VALUES
    -- Due now: autopayment charges the first two.
    (1, 1, 'active', now() - interval '1 month 1 hour', now() - interval '1 hour', true),
    (3, 1, 'active', now() - interval '1 month 1 hour', now() - interval '1 hour', true),
    (4, 1, 'active', now() - interval '1 month 1 hour', now() - interval '1 hour', true),
    (5, 1, 'active', now() - interval '1 month 1 hour', now() - interval '1 hour', true),
    -- Ends in 5 days: renewal-reminder writes to her.
    (6, 2, 'active', now() - interval '1 year' + interval '5 days', now() + interval '5 days', true),
    -- Ended 5 days ago and is not renewed: expire-subscriptions ends it.
    (9, 1, 'active', now() - interval '1 month 5 days', now() - interval '5 days', false);

-- Ends in 15 days: renewal-reminder writes to him.
INSERT INTO memberships (user_id, type, start_date, end_date)
VALUES (7, 'basic', current_date + 16 - interval '1 year', current_date + 15);

-- An order that nobody paid in time: expire-stale-orders cancels its PaymentIntent and releases the stock.
INSERT INTO products (id, sku, name, stock_on_hand, stock_reserved) VALUES (1, 'mug', 'Mug', 12, 1);
INSERT INTO orders (id, user_id, total_minor, currency, payment_intent_id, created_at, expires_at)
VALUES (1, 8, 1800, 'eur', 'pi_mug', now() - interval '30 hours', now() - interval '6 hours');
INSERT INTO order_items (order_id, product_id, quantity, unit_amount_minor) VALUES (1, 1, 1, 1800);
INSERT INTO stock_reservations (order_id, product_id, quantity) VALUES (1, 1, 1);

-- The fake SumUp gives its reader another id at each start; process-payment-queue finds it by its serial.
INSERT INTO payment_terminals (name, provider_reader_id, serial) VALUES ('Desk', 'rdr_paired_before', 'SOLO-1');

SELECT setval(pg_get_serial_sequence('plans', 'id'), (SELECT max(id) FROM plans)),
       setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users)),
       setval(pg_get_serial_sequence('products', 'id'), (SELECT max(id) FROM products)),
       setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders))
\g /dev/null
COMMIT;

\echo 'A small business is seeded: 9 people, 6 subscriptions (4 of them due), a membership, an unpaid order and a card reader.'
