-- The stage of the payment's dispute at the provider, the worst of several; null: never disputed.
ALTER TABLE payments ADD COLUMN provider_dispute_status text;

-- Stripe Billing's own, for subscription-sync to go through.
CREATE INDEX subscriptions_of_provider ON subscriptions (id)
    WHERE provider_subscription_id IS NOT NULL AND status NOT IN ('canceled', 'expired');
