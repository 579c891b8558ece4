using System.Globalization;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Together;

/// <summary>
/// Several jobs at once on a busy day: each behind a proxy of its own that holds back its round trips by chance, at a Stripe of chance
/// slowness, while customers pay and banks decide. Then they run again, with the matchers, until nothing changes any more.
/// </summary>
/// <remarks>
/// What may differ from one order of the jobs to the other, and is not compared: whether a subscription past its grace expired before its
/// money came (then the money reactivates it from now) or was renewed in time; whether one that was to end was canceled first (then the
/// money is parked) or paid first; which of two successes is booked and which is parked as a duplicate; whether a person who records by
/// hand is refused because a payment for the same is under way, or comes first; who found something, and in how many mails staff hear of
/// it. What must hold in any case: <see cref="Truth.CheckAsync"/>, <see cref="Ending"/>, and that the end is an end.
/// </remarks>
internal sealed class Meeting(PostgresFixture fixture, Schedule schedule)
{
    private const int Rounds = 8;

    private const string UselessLease =
        """
        CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
        CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
        """;

    private static readonly string[] Matchers = ["match-pending-payments", "match-successful-payments"];

    private readonly Random _random = new(schedule.Seed);
    private SumUpMerchant? _merchant;
    private SmtpServer? _mails;
    private BusyDay _day = null!;

    /// <summary>What each job is started with, the first time and again.</summary>
    private readonly Dictionary<string, string[]> _args = new(StringComparer.Ordinal);

    public async Task HoldAsync()
    {
        _merchant = schedule.Jobs.Contains("process-payment-queue") ? await MerchantAsync() : null;
        await using var mails = schedule.Jobs.Contains("send-notifications") ? SmtpServer.Start() : null;
        _day = new BusyDay(schedule.Jobs, _merchant, _mails = mails);
        await new CrashRig(fixture, new Scenario("a busy day", schedule.Jobs[0], [], _day.SeedAsync)).InWorldAsync(HoldAsync, fresh: schedule.HasTwice);
    }

    /// <summary>The first of the jobs alone, on the same day.</summary>
    /// <returns>What it touches, in whatever way it is started, and how the first of them went.</returns>
    public async Task<(Tables Tables, JobResult Result)> AloneAsync()
    {
        (Tables, JobResult) alone = default;
        await using var mails = SmtpServer.Start();
        _day = new BusyDay(schedule.Jobs, await MerchantAsync(), mails);
        await new CrashRig(fixture, new Scenario("a busy day", schedule.Jobs[0], [], _day.SeedAsync)).InWorldAsync(async world =>
        {
            await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
            JobResult? result = null;
            for (var way = 0; way < BusyDay.Ways(schedule.Jobs[0]); way++)
            {
                _args[schedule.Jobs[0]] = _day.Args(schedule.Jobs[0], way);
                using var process = Start(world, schedule.Jobs[0], proxy);
                var end = await process.EndAsync();
                AssertEnded(schedule.Jobs[0], end);
                result ??= end;
            }

            var known = await world.QueryAsync("SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'");
            alone = (Tables.Of(proxy.Log.Select(trip => trip.Sql), known.Select(row => (string)row.name).ToHashSet(StringComparer.Ordinal)), result!);
        });
        return alone;
    }

    private static Task<SumUpMerchant> MerchantAsync() => SumUpMerchant.CreateInAsync(
        "EUR", new { card_wait_ms = 400, start_window_ms = 1500, valid_ms = 2500, terminate_ms = 50, script = new { start_after_ms = 20, after_ms = 80 } }, "A", "B");

    private async Task HoldAsync(JobWorld world)
    {
        var before = await Ending.BeforeAsync(world);
        if (schedule.HasTwice)
            await world.ExecuteAsync(UselessLease);
        await SlowDownAsync(world);
        try
        {
            var jobs = schedule.Jobs.Select((job, n) => RunAsync(world, job, new Random(schedule.Seed + (7919 * (n + 1))))).ToList();
            var happenings = HappenAsync(world);
            var ends = await Task.WhenAll(jobs);
            await happenings;
            foreach (var (job, result) in schedule.Jobs.Zip(ends))
                AssertEnded(job, result);
        }
        finally
        {
            await world.Stripe.ConfigureAsync(new { latency_ms = 0 });
            await world.Stripe.ClearFaultsAsync();
        }

        await SettleDownAsync(world);
        await Truth.CheckAsync(world);
        await Ending.CheckAsync(world, before);
        if (_mails is not null)
            Ending.CheckMails(_mails);
        if (_merchant is not null)
            await Ending.CheckCounterAsync(world, _merchant);
    }

    private async Task SlowDownAsync(JobWorld world)
    {
        await world.Stripe.ConfigureAsync(new { latency_ms = _random.Next(3) * 8 });
        foreach (var fault in new[] { "delay_before", "delay_after" })
        {
            await world.Stripe.FaultAsync(
                string.Create(CultureInfo.InvariantCulture, $"{fault}:{_random.Next(20, 250)}"), new { method = "POST", probability = 0.25, seed = schedule.Seed });
        }
    }

    private async Task<JobResult> RunAsync(JobWorld world, string job, Random random)
    {
        await Task.Delay(random.Next(2) * random.Next(300));
        var (usual, slow) = (random.Next(31), random.Next(40, 300));
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        proxy.Delay = () =>
        {
            lock (random)
                return TimeSpan.FromMilliseconds(random.Next(40) == 0 ? slow : random.Next(2) * random.Next(usual + 1));
        };
        using var process = Start(world, job, proxy);
        return await process.EndAsync();
    }

    private JobProcess Start(JobWorld world, string job, PostgresProxy? proxy = null)
    {
        var environment = _day.Environment(world);
        if (proxy is not null)
            environment["DATABASE_URL"] = world.Through(proxy.Port);
        lock (_args)
        {
            if (!_args.TryGetValue(job, out var args))
                _args[job] = args = _day.Args(job, _random.Next(BusyDay.Ways(job)));
            return JobProcess.Start(job, environment, ["--output", "json", .. args]);
        }
    }

    /// <summary>In the middle of it customers pay, banks decide and money goes back.</summary>
    private async Task HappenAsync(JobWorld world)
    {
        var happenings = _day.Payable.Where(_ => _random.Next(4) == 0).Select(intent => (intent, "pay", (object)new { }))
            .Concat(_day.Processing.Where(_ => _random.Next(3) == 0)
                .Select(intent => (intent, "settle", (object)new { outcome = _random.Next(3) > 0 ? "succeed" : "fail" })))
            .Concat(_day.Booked.Where(_ => _random.Next(6) == 0).Select(intent => (intent, "refund", (object)new { })))
            .ToArray();
        _random.Shuffle(happenings);
        foreach (var (intent, what, how) in happenings)
        {
            await Task.Delay(_random.Next(250));
            try
            {
                await world.Stripe.ActAsync(intent, what, how);
            }
            catch (InvalidOperationException)
            {
                // One of the jobs, or an earlier turn of events, was faster: nothing to pay or to decide any more.
            }
        }
    }

    /// <summary>As the schedules do: again and again, until a whole round changes nothing.</summary>
    private async Task SettleDownAsync(JobWorld world)
    {
        var again = Matchers.Concat(schedule.Jobs).Distinct().ToList();
        var state = await world.StateAsync();
        for (var round = 1; ; round++)
        {
            // The hour of the next look has come.
            await world.ExecuteAsync("UPDATE payments SET next_check_at = NULL");
            foreach (var job in again)
            {
                using var process = Start(world, job);
                AssertEnded(job, await process.EndAsync());
            }

            var (previous, now) = (state, await world.StateAsync());
            if (previous == now)
                return;
            Assert.True(round < Rounds, $"round {round} still changes something:\n{Difference(previous, now)}");
            state = now;
        }
    }

    private static string Difference(string before, string after)
    {
        var (left, right) = (before.Split('\n'), after.Split('\n'));
        return string.Join('\n', left.Except(right).Select(line => $"- {line}").Concat(right.Except(left).Select(line => $"+ {line}")));
    }

    /// <summary>Success; or, of what people start, a refusal with its reason: another payment for the same is under way or was made.</summary>
    private static void AssertEnded(string job, JobResult result)
    {
        var refused = job is "record-payment" or "grant-membership" && result.ExitCode == 1 && result.Counter("refused") == 1
            && result.Json.GetProperty("items").EnumerateArray().Single().GetProperty("reason").GetString()
                is "in_flight" or "not_payable" or "membership_refused" or "payment_refused" or "duplicate";
        Assert.True(refused || (result.ExitCode == 0 && result.Json.GetProperty("status").GetString() == "succeeded"), $"{job}: {result}");
    }
}
