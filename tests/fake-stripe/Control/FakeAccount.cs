namespace Jobs.Testing.FakeStripe;

/// <summary>One account and everything around it; a reset starts a new one and keeps only how it is configured.</summary>
internal sealed class FakeAccount
{
    private static readonly Endpoint[] Endpoints =
    [
        .. PaymentIntentEndpoints.All(), .. CustomerEndpoints.All(), .. PaymentMethodEndpoints.All(), .. ChargeEndpoints.All(),
        .. RefundEndpoints.All(), .. DisputeEndpoints.All(), .. EventEndpoints.All(), .. InvoiceEndpoints.All(),
        .. SubscriptionEndpoints.All(), .. CatalogEndpoints.All(), .. CheckoutSessionEndpoints.All(),
    ];

    private readonly CommandLine _options;
    private readonly Ids _ids;
    private readonly Router _router = new(Endpoints);

    public FakeAccount(CommandLine options)
    {
        _options = options;
        _ids = new Ids(options.Seed);
        (World, Limiter, Log, Faults, Holds, Server) = Create(new FakeConfig { Rate = options.Rate, LatencyMs = options.LatencyMs, Live = options.Live });
    }

    public World World { get; private set; }
    public RateLimiter Limiter { get; private set; }
    public RequestLog Log { get; private set; }
    public FaultTable Faults { get; private set; }
    public Holds Holds { get; private set; }
    public StripeServer Server { get; private set; }

    public byte[] Reset()
    {
        Holds.Release(id: null);
        (World, Limiter, Log, Faults, Holds, Server) = Create(World.Config);
        return "{}"u8.ToArray();
    }

    private (World, RateLimiter, RequestLog, FaultTable, Holds, StripeServer) Create(FakeConfig config)
    {
        var clock = new FakeClock();
        if (_options.Clock is { } start)
            clock.Set(start, ticking: false);
        var world = new World(_ids, clock, config);
        var (limiter, log, faults, holds) = (new RateLimiter(config), new RequestLog(), new FaultTable(), new Holds());
        return (world, limiter, log, faults, holds, new StripeServer(world, _router, limiter, new IdempotencyTable(clock), log, faults, holds));
    }
}
