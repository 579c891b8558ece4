-- jobctl status: the last success of each job, and whether it fails. Most rows of a job may be neither: skipped.
CREATE INDEX job_runs_succeeded ON job_runs (job, started_at DESC) WHERE status = 'succeeded';
CREATE INDEX job_runs_failed ON job_runs (job, started_at DESC) WHERE status IN ('failed', 'interrupted');

-- jobctl status: what waits for somebody. Few rows, among all that are settled.
CREATE INDEX orders_refund_due ON orders (id) WHERE status = 'refund_due';

-- jobctl explain: all that touched a payment, a membership, an order; a person by the address.
CREATE INDEX payments_by_membership ON payments (membership_id) WHERE membership_id IS NOT NULL;
CREATE INDEX unmatched_payments_by_payment ON unmatched_payments (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX terminal_attempts_by_payment ON terminal_attempts (payment_id);
CREATE INDEX stock_reservations_by_order ON stock_reservations (order_id);
CREATE INDEX users_by_email ON users (lower(email));
CREATE INDEX audit_log_archive_by_subject ON audit_log_archive (subject_type, subject_id, id);
-- A product has a row for each order that ever held it.
CREATE INDEX audit_logs_of_stock ON audit_logs ((data ->> 'order_id')) WHERE subject_type = 'product';

-- Serves what it did, and the order's whole history besides.
DROP INDEX stock_reservations_open_by_order;
