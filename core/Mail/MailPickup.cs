using System.Globalization;
using Jobs.Runs;

namespace Jobs.Mail;

/// <summary>Mails as .eml files in a folder, each there in full or not at all, named for its Message-ID.</summary>
public sealed class MailPickup(string directory) : IMailTransport
{
    public async Task<Delivery> DeliverAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{mail.MessageId}.eml");
        var unfinished = Path.Combine(directory, $".{name}.{Guid.NewGuid():N}");
        try
        {
            await WriteAsync(unfinished, mail, cancellation);
            if (!await handOver())
            {
                return new Delivery(DeliveryOutcome.LeftToAnother);
            }

            File.Move(unfinished, Path.Combine(directory, name), overwrite: true);
            return new Delivery(DeliveryOutcome.Sent);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StopRunException($"MAIL_PICKUP_DIR cannot be written to: {e.Message}", e);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static async Task WriteAsync(string path, OutgoingMail mail, CancellationToken cancellation)
    {
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        await mail.WriteToAsync(file, cancellation);
        file.Flush(flushToDisk: true);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
