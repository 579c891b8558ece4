using Jobs.Billing;

namespace Jobs.Demo;

/// <summary>What is special about a subscription, and so what the jobs should make of it.</summary>
internal enum Situation
{
    NotDue, Renews, RetriedToday, PaidBehindOurBack, SoftDecline, HardDecline, ThreeDSecure, CardReplaced, NoCard, SlowBank,
    AnswerOnTheWire, ConnectionCut, ServerError,
    BilledByStripe, Paused, Canceled, Expired, Lapsed, RetriesSpent, InGrace,
}

/// <summary>A first purchase that an application began and, mostly, did not see to its end.</summary>
internal enum Checkout
{
    Paid, Refused, StillOpen, Abandoned, AbandonedButPaid, NeverReachedStripe, Unrecorded,
}

internal sealed record Member(long Id, string Name, string Locale, PlanRow Plan, Situation Situation, DateTime EndedAt, int Periods)
{
    public string Customer => $"cus_{Id:D5}";
    public string Card => $"pm_{Id:D5}";
    public string LastCard => Situation == Situation.CardReplaced ? Card + "_old" : Card;

    /// <summary>Ours, and canceled by its owner for the end of the period.</summary>
    public bool EndsWithPeriod => Situation is Situation.Lapsed or Situation.InGrace && Id % 2 == 0;

    public string Email => $"member{Id}@example.test";

    public DateTime PeriodStart(int back) => Plan.IntervalUnit switch
    {
        "week" => EndedAt.AddDays(-7 * back),
        "year" => EndedAt.AddYears(-back),
        _ => EndedAt.AddMonths(-back),
    };
}

/// <summary>An invented small business with three thousand subscriptions, the same in every run but for the date.</summary>
internal sealed class Business
{
    public static readonly BusinessZone Zone = new("Europe/Paris");

    public static readonly IReadOnlyList<PlanRow> Plans =
    [
        new(1, "club-monthly", "Club, monthly", 2900, "eur", "month", 1),
        new(2, "club-yearly", "Club, yearly", 29000, "eur", "year", 1),
        new(3, "studio-weekly", "Studio, weekly", 900, "eur", "week", 1),
        new(4, "pro-monthly", "Pro, monthly", 4900, "usd", "month", 1),
        new(5, "pro-weekly", "Pro, weekly", 1400, "usd", "week", 1),
        new(6, "dojo-monthly", "Dojo, monthly", 3980, "jpy", "month", 1),
        new(7, "dojo-weekly", "Dojo, weekly", 1200, "jpy", "week", 1),
    ];

    // Of ten members, how many have which plan.
    private static readonly int[] PlanShares = [0, 0, 0, 1, 2, 2, 3, 4, 5, 6];

    /// <summary>How many of each; whatever is missing to the total is not due.</summary>
    public static readonly IReadOnlyDictionary<Situation, int> Counts = new Dictionary<Situation, int>
    {
        [Situation.Renews] = 500,
        [Situation.AnswerOnTheWire] = 14,
        [Situation.ConnectionCut] = 9,
        [Situation.ServerError] = 6,
        [Situation.RetriedToday] = 20,
        [Situation.PaidBehindOurBack] = 3,
        [Situation.SoftDecline] = 18,
        [Situation.HardDecline] = 9,
        [Situation.ThreeDSecure] = 7,
        [Situation.CardReplaced] = 6,
        [Situation.NoCard] = 5,
        [Situation.SlowBank] = 4,
        [Situation.BilledByStripe] = 140,
        [Situation.Paused] = 60,
        [Situation.Canceled] = 120,
        [Situation.Expired] = 150,
        [Situation.Lapsed] = 30,
        [Situation.RetriesSpent] = 15,
        [Situation.InGrace] = 12,
    };

    public const int Subscriptions = 3000;

    public static readonly IReadOnlyDictionary<Checkout, int> Checkouts = new Dictionary<Checkout, int>
    {
        [Checkout.Paid] = 5,
        [Checkout.Refused] = 3,
        [Checkout.StillOpen] = 2,
        [Checkout.Abandoned] = 8,
        [Checkout.AbandonedButPaid] = 1,
        [Checkout.NeverReachedStripe] = 2,
        [Checkout.Unrecorded] = 3,
    };

    private static readonly Checkout[] CheckoutsInOrder = [.. Checkouts.SelectMany(c => Enumerable.Repeat(c.Key, c.Value))];

    private static readonly string[] FirstNames =
    [
        "Camille", "Hugo", "Léa", "Émile", "Zoé", "Théo", "Inès", "Margaux", "Alice", "Oliver", "Amelia", "George", "Ruby", "Harry", "Grace",
        "Анна", "Дмитрий", "Мария", "Иван", "Ольга", "Алексей", "Елена", "Николай",
    ];

    private static readonly string[] LastNames =
    [
        "Moreau", "Lefèvre", "Girard", "Rousseau", "Chevalier", "Fontaine", "Mercier", "Blanc", "Walker", "Hughes", "Bennett", "Clarke", "Turner", "Foster",
        "Кузнецов", "Соколова", "Попов", "Лебедева", "Новиков", "Морозова", "Волков", "Зайцева",
    ];

    public Business(DateTime now)
    {
        Now = now;
        var random = new Random(20261120);
        var situations = Counts.SelectMany(c => Enumerable.Repeat(c.Key, c.Value)).ToList();
        situations.AddRange(Enumerable.Repeat(Situation.NotDue, Subscriptions - situations.Count));
        var shuffled = situations.ToArray();
        random.Shuffle(shuffled);
        Members = [.. shuffled.Select((situation, i) => Make(i + 1, situation, random))];
        MoneyBack = [.. In(Situation.NotDue).Where(m => m.Plan.Id == 1).Take(3)];
        People = [.. Enumerable.Range(Subscriptions + 1, CheckoutsInOrder.Length).Select(id => Make(id, Situation.NotDue, random))];
    }

    public DateTime Now { get; }
    public IReadOnlyList<Member> Members { get; }

    /// <summary>Who has bought nothing yet, or so the database believes.</summary>
    public IReadOnlyList<Member> People { get; }

    public static Checkout CheckoutOf(Member newcomer) => CheckoutsInOrder[newcomer.Id - Subscriptions - 1];

    /// <summary>Who got money back lately: all of it, a part, and by a dispute that was lost.</summary>
    public IReadOnlyList<Member> MoneyBack { get; }

    public IEnumerable<Member> In(Situation situation) => Members.Where(m => m.Situation == situation);

    private Member Make(long id, Situation situation, Random random)
    {
        var (name, locale) = NameOf(random);
        var plan = Plans[PlanShares[random.Next(PlanShares.Length)]];
        var periods = situation == Situation.NoCard ? 0 : plan.IntervalUnit switch { "week" => 5, "month" => 3, _ => 1 };
        return new Member(id, name, locale, plan, situation, EndOf(situation, plan, random), periods);
    }

    /// <summary>First and last name of the same language.</summary>
    private static (string Name, string Locale) NameOf(Random random)
    {
        var language = random.Next(10) switch { < 5 => 0, < 8 => 1, _ => 2 };
        var (firstFrom, firstTo, lastFrom, lastTo, locale) = language switch
        {
            0 => (0, 9, 0, 8, "fr"),
            1 => (9, 15, 8, 14, "en"),
            _ => (15, FirstNames.Length, 14, LastNames.Length, "ru"),
        };
        return ($"{FirstNames[random.Next(firstFrom, firstTo)]} {LastNames[random.Next(lastFrom, lastTo)]}", locale);
    }

    private DateTime EndOf(Situation situation, PlanRow plan, Random random)
    {
        var length = plan.IntervalUnit switch { "week" => 7, "month" => 28, _ => 360 };
        var days = situation switch
        {
            // autopayment takes the oldest end first: the trouble is to come when it is well under way.
            Situation.AnswerOnTheWire => -Between(random, 0.50, 0.54),
            Situation.ServerError or Situation.ConnectionCut => -Between(random, 0.30, 0.45),
            Situation.RetriedToday or Situation.PaidBehindOurBack => -Between(random, 1.0, 1.2),
            Situation.Renews => -Between(random, 0.1, 0.8),
            Situation.SoftDecline or Situation.HardDecline or Situation.ThreeDSecure or Situation.CardReplaced
                or Situation.NoCard or Situation.SlowBank => -Between(random, 0.1, 0.8),
            Situation.Lapsed => -Between(random, 4, 20),
            Situation.RetriesSpent => -Between(random, 3.2, 6),
            Situation.InGrace => -Between(random, 1, 2.5),
            Situation.BilledByStripe => Between(random, -10, length / 2),
            Situation.Canceled or Situation.Expired => -Between(random, 20, 90),
            _ => Between(random, 1.2, length - 1),
        };
        var end = Now.AddDays(days);
        // Stripe's own times are whole seconds.
        return situation == Situation.BilledByStripe ? end.AddTicks(-(end.Ticks % TimeSpan.TicksPerSecond)) : end;
    }

    private static double Between(Random random, double from, double to) => from + (random.NextDouble() * (to - from));
}
