using System.Text.RegularExpressions;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

/// <summary>Before and after each call of Stripe.</summary>
internal sealed class StripeCalls(JobWorld world) : Outside
{
    public override async Task<IReadOnlyList<OutsideStep>> StepsAsync() =>
        OutsideStep.OfCalls((await world.Stripe.RequestsAsync()).Recent.OrderBy(r => r.Number).Select(r => ($"{r.Method} {r.Template}", r.Method != "GET")));

    public override Task HoldAsync(OutsideStep step) => world.Stripe.FaultAsync(step.Hold, new { nth = step.Number });

    public override Task HeldAsync() => world.Stripe.HeldAsync(waitMs: 90_000);

    public override async Task LetGoAsync()
    {
        await world.Stripe.ClearFaultsAsync();
        await world.Stripe.ReleaseAsync();
    }
}

/// <summary>Before and after each call of SumUp. It is asked again and again what became of a payment.</summary>
internal sealed partial class SumUpCalls(SumUpMerchant merchant) : Outside
{
    public override bool Varies => true;

    public override async Task<IReadOnlyList<OutsideStep>> StepsAsync() =>
        OutsideStep.OfCalls((await merchant.RequestsAsync()).Select(r => ($"{r.Method} {Id().Replace(r.Path, "/{id}")}", r.Method != "GET")));

    public override Task HoldAsync(OutsideStep step) => merchant.FaultAsync(step.Hold, nth: step.Number);

    public override Task HeldAsync() => merchant.HeldAsync();

    public override Task LetGoAsync() => merchant.ClearFaultsAsync();

    [GeneratedRegex(@"/(?=[^/]*\d)(?!v\d)[^/]{8,}", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Id();
}

/// <summary>Each step of a conversation with a mail server.</summary>
internal sealed class SmtpSteps(JobWorld world, SmtpServer server, int mails) : Outside
{
    private SmtpStep _at;

    public override Task<IReadOnlyList<OutsideStep>> StepsAsync() => Task.FromResult<IReadOnlyList<OutsideStep>>(
    [
        .. from step in new[]
           {
               SmtpStep.Greeting, SmtpStep.Ehlo, SmtpStep.Mail, SmtpStep.Rcpt, SmtpStep.Data, SmtpStep.Text, SmtpStep.Dot, SmtpStep.Stored, SmtpStep.Quit,
           }
           from mail in Enumerable.Range(1, step is SmtpStep.Greeting or SmtpStep.Ehlo or SmtpStep.Quit ? 1 : mails)
           select new OutsideStep($"{step}", mail, "hang"),
    ]);

    public override Task HoldAsync(OutsideStep step)
    {
        _at = Enum.Parse<SmtpStep>(step.Step);
        server.Fault(new SmtpFault(_at, SmtpTrouble.Hang, Nth: step.Number));
        return Task.CompletedTask;
    }

    public override async Task HeldAsync()
    {
        await server.HeldAsync(TimeSpan.FromSeconds(90));
        // Whatever the server does with the text: the last byte has left.
        await Eventually.HoldsAsync(async () => _at != SmtpStep.Text || await world.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM notifications WHERE handed_over_at IS NOT NULL AND status = 'sending')"));
        await Task.Delay(_at == SmtpStep.Text ? 100 : 0);
    }

    public override Task LetGoAsync()
    {
        server.ClearFaults();
        server.Release();
        return Task.CompletedTask;
    }
}

/// <summary>Before and after each call of a bucket.</summary>
internal sealed partial class BucketCalls(FakeS3Process s3) : Outside
{
    public override Task ListenAsync() => s3.ClearFaultsAsync();

    public override async Task<IReadOnlyList<OutsideStep>> StepsAsync() =>
        OutsideStep.OfCalls((await s3.RequestsAsync()).Select(r => (Varying().Replace(r, "*"), !r.StartsWith("GET", StringComparison.Ordinal) && !r.StartsWith("HEAD", StringComparison.Ordinal))));

    public override async Task HoldAsync(OutsideStep step)
    {
        await s3.ClearFaultsAsync();
        await s3.FaultAsync(step.Hold, step.Number);
    }

    public override Task HeldAsync() => s3.HeldAsync();

    public override Task LetGoAsync() => s3.ClearFaultsAsync();

    [GeneratedRegex("[0-9a-f]*[0-9][0-9a-fTZ]*", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Varying();
}
