using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Jobs.Billing;
using Jobs.Mail;
using Jobs.Runs;
using Microsoft.Extensions.Logging;

namespace Jobs;

/// <summary>
/// The outbox to the mail server: critical mail first, then what can wait, when its reader may have it; oldest first.
/// </summary>
/// <remarks>
/// Where a run can die, and what the next one finds. Before the claim: `pending`. After it, up to and including the mail's text:
/// `sending`, not handed over; nothing was delivered, since the last byte was not sent: `pending` again. Handed over (committed
/// just before the last byte) and before the answer is recorded: delivered or not, so `unknown`, never sent again by itself,
/// and staff are told. A run that was only frozen finds its claim lost before the last byte, or knows the answer after it.
/// </remarks>
public sealed class SendNotifications(
    JobRun run, JobOptions options, MailOutbox outbox, MailComposer composer, MailSettings mail, BusinessZone zone, Settings settings) : IJob
{
    public static readonly JobOption<int?> Connections = new(
        "--connections", "n", "Mails under way at once, each over a connection of its own. Default: 4.", OptionValue.Positive, 4);

    private const int Batch = 25;
    private const int TroublesThatEndTheRun = 10;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(10);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _troublesInARow;

    /// <summary>Goes on with the run: it may last into the quiet hours.</summary>
    private DateTime Now => run.Now + _clock.Elapsed;

    public async Task RunAsync()
    {
        _clock.Restart();
        run.Counters.Add("sent", 0);
        await outbox.TakeBackAsync();
        var connections = options.Get(Connections)!.Value;
        await using var transport = Transport(connections);
        try
        {
            await run.EachAsync(DueAsync(), m => m.Id.ToString(CultureInfo.InvariantCulture), m => SendAsync(m, transport), connections);
        }
        finally
        {
            if (!run.DryRun && !run.Aborting.IsCancellationRequested)
            {
                await outbox.GiveBackAsync();
                await TellStaffAsync();
            }
        }
    }

    private IMailTransport Transport(int connections) =>
        mail.Smtp is { } url ? new SmtpTransport(url, connections, run.Log) : new MailPickup(mail.PickupDirectory!);

    private async IAsyncEnumerable<Notification> DueAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        foreach (var critical in new[] { true, false })
        {
            long after = 0;
            while (!cancellation.IsCancellationRequested)
            {
                var size = Math.Min(run.Options.BatchSize ?? Batch, run.Options.Limit ?? int.MaxValue);
                // What can wait is claimed when it is its turn, by the rules for its reader.
                var due = await outbox.NextAsync(critical, claim: critical && !run.DryRun, after, size, Now);
                foreach (var notification in due)
                {
                    yield return notification;
                }

                if (due.Count < size)
                {
                    break;
                }

                after = due[^1].Id;
            }
        }
    }

    private async Task SendAsync(Notification notification, IMailTransport transport)
    {
        var now = Now;
        if (!MailPolicy.IsCritical(notification.Kind))
        {
            var (claim, until) = await outbox.ClaimAsync(notification, now, zone);
            if (claim != Claim.Claimed)
            {
                run.Count(claim == Claim.Gone ? "left" : "postponed", notification.Id, ("kind", notification.Kind), ("next_attempt_at", until));
                return;
            }
        }

        await DeliverAsync(notification, transport, now);
    }

    private async Task DeliverAsync(Notification notification, IMailTransport transport, DateTime now)
    {
        OutgoingMail outgoing;
        try
        {
            outgoing = MimeMail.Of(notification, await composer.ComposeAsync(notification, run.Aborting), mail, now);
        }
        catch (Exception e) when (e is MailTemplateException or FormatException)
        {
            await EndAsync(notification, new Delivery(DeliveryOutcome.Refused, e.Message));
            return;
        }

        if (run.DryRun)
        {
            await EndAsync(notification, new Delivery(DeliveryOutcome.Sent));
            return;
        }

        var delivery = await transport.DeliverAsync(outgoing, () => outbox.HandOverAsync(notification.Id), run.Aborting);
        await EndAsync(notification, delivery);
        EndRunInTrouble(delivery);
    }

    private async Task EndAsync(Notification notification, Delivery delivery)
    {
        var (outcome, reason) = (delivery.Outcome, delivery.Reason);
        if (outcome == DeliveryOutcome.Deferred && notification.Attempts + 1 >= MailPolicy.MostAttempts)
        {
            outcome = DeliveryOutcome.Refused;
        }

        var counter = outcome switch
        {
            DeliveryOutcome.Sent => "sent",
            DeliveryOutcome.Refused => "dead_letters",
            DeliveryOutcome.Deferred => "deferred",
            DeliveryOutcome.Unknown => "unknown",
            _ => "left",
        };
        if (!run.DryRun && outcome != DeliveryOutcome.LeftToAnother)
        {
            await RecordAsync(notification.Id, outcome, reason);
        }

        run.Count(counter, notification.Id, ("kind", notification.Kind), ("reason", reason.Length == 0 ? null : reason));
    }

    private async Task RecordAsync(long id, DeliveryOutcome outcome, string reason)
    {
        switch (outcome)
        {
            case DeliveryOutcome.Sent:
                await outbox.RecordAsync(id, "sent");
                break;
            case DeliveryOutcome.Deferred:
                await outbox.RecordAsync(id, "pending", reason, Now + RetryAfter);
                break;
            default:
                var status = outcome == DeliveryOutcome.Unknown ? "unknown" : "failed";
                await outbox.RecordAsync(id, status, reason);
                run.Log.LogWarning("Notification {Id} is {Status}: {Reason}", id, status, reason);
                break;
        }
    }

    /// <summary>A server that takes nothing at all says little about the mails: they are not to spend their attempts on it.</summary>
    private void EndRunInTrouble(Delivery delivery)
    {
        if (delivery.Outcome is DeliveryOutcome.Sent or DeliveryOutcome.LeftToAnother)
        {
            Volatile.Write(ref _troublesInARow, 0);
        }
        else if (Interlocked.Increment(ref _troublesInARow) >= TroublesThatEndTheRun)
        {
            throw new StopRunException($"{TroublesThatEndTheRun} mails in a row could not be delivered, the last one because: {delivery.Reason}");
        }
    }

    private async Task TellStaffAsync()
    {
        if (settings.Optional("STAFF_EMAIL") is { } staff)
        {
            await outbox.TellStaffAsync(staff);
            await outbox.TellLateJobsAsync(staff);
        }
    }
}
