namespace Jobs.Testing.FakeStripe;

/// <summary>The whole account in memory. Whoever reads or writes it holds <see cref="Gate"/>.</summary>
internal sealed class World(Ids ids, FakeClock clock, FakeConfig config)
{
    private readonly Dictionary<string, StripeObject> _byId = new(StringComparer.Ordinal);
    private readonly PriorityQueue<Action, (DateTimeOffset Due, long Order)> _scheduled = new();
    private DateTimeOffset? _settlingAt;
    private long _sequence;

    public Lock Gate { get; } = new();
    public Ids Ids => ids;
    public FakeClock Clock => clock;
    public FakeConfig Config => config;

    public CreatedIndex<PaymentIntent> PaymentIntents { get; } = new();
    public GroupedIndex<PaymentIntent> PaymentIntentsByCustomer { get; } = new();
    public CreatedIndex<Customer> Customers { get; } = new();
    public GroupedIndex<PaymentMethod> PaymentMethodsByCustomer { get; } = new();
    public CreatedIndex<Charge> Charges { get; } = new();
    public GroupedIndex<Charge> ChargesByCustomer { get; } = new();
    public GroupedIndex<Charge> ChargesByPaymentIntent { get; } = new();
    public CreatedIndex<Refund> Refunds { get; } = new();
    public GroupedIndex<Refund> RefundsByCharge { get; } = new();
    public CreatedIndex<Dispute> Disputes { get; } = new();
    public CreatedIndex<StripeEvent> Events { get; } = new();
    public GroupedIndex<StripeEvent> EventsByType { get; } = new();
    public CreatedIndex<Invoice> Invoices { get; } = new();
    public GroupedIndex<Invoice> InvoicesByCustomer { get; } = new();
    public GroupedIndex<Invoice> InvoicesBySubscription { get; } = new();
    public CreatedIndex<InvoicePayment> InvoicePayments { get; } = new();
    public GroupedIndex<InvoicePayment> InvoicePaymentsByInvoice { get; } = new();
    public GroupedIndex<InvoicePayment> InvoicePaymentsByPaymentIntent { get; } = new();
    public CreatedIndex<Subscription> Subscriptions { get; } = new();
    public GroupedIndex<Subscription> SubscriptionsByCustomer { get; } = new();
    public CreatedIndex<Price> Prices { get; } = new();
    public CreatedIndex<Product> Products { get; } = new();
    public CreatedIndex<CheckoutSession> CheckoutSessions { get; } = new();
    public GroupedIndex<CheckoutSession> CheckoutSessionsByPaymentIntent { get; } = new();

    /// <summary>The request being executed, for the events it causes; null when the world moves by itself.</summary>
    public (string RequestId, string? IdempotencyKey)? Cause { get; set; }

    /// <summary>While set, nothing is recorded as an event: a seed that asks for silence.</summary>
    public bool Silent { get; set; }

    public DateTimeOffset Now => _settlingAt ?? clock.Now;

    public long NowSeconds => Now.ToUnixTimeSeconds();

    public StripeObject? Find(string id) => _byId.GetValueOrDefault(id);

    public T? Find<T>(string? id) where T : StripeObject => id is null ? null : _byId.GetValueOrDefault(id) as T;

    public T Register<T>(T item) where T : StripeObject
    {
        item.Sequence = ++_sequence;
        _byId[item.Id] = item;
        return item;
    }

    /// <summary>Runs <paramref name="action"/> once the clock has passed that moment.</summary>
    public void Schedule(TimeSpan after, Action action) => _scheduled.Enqueue(action, (Now + after, ++_sequence));

    /// <summary>
    /// Lets everything due happen, each at its own moment: every request calls it first, so that nobody sees a
    /// world that is late.
    /// </summary>
    public void Settle()
    {
        while (_scheduled.TryPeek(out _, out var next) && next.Due <= clock.Now)
        {
            var action = _scheduled.Dequeue();
            var cause = Cause;
            Cause = null;
            _settlingAt = next.Due;
            action();
            _settlingAt = null;
            Cause = cause;
        }
    }

    /// <summary>Things that happened at a past moment (seeding) get that moment's time.</summary>
    public void At(DateTimeOffset moment, Action action)
    {
        var before = _settlingAt;
        _settlingAt = moment;
        try
        {
            action();
        }
        finally
        {
            _settlingAt = before;
        }
    }

    /// <summary>Records one event with a snapshot of the object as it is now.</summary>
    public void Emit(string type, StripeObject item)
    {
        if (Silent)
            return;
        var happened = Register(new StripeEvent
        {
            Id = ids.New("evt_"),
            Created = NowSeconds,
            Type = type,
            Data = item.Snapshot(),
            RequestId = Cause?.RequestId,
            IdempotencyKey = Cause?.IdempotencyKey,
            ApiVersion = config.EventApiVersion,
        });
        Events.Add(happened);
        EventsByType.Add(type, happened);
    }
}
