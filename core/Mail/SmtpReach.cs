namespace Jobs.Mail;

/// <summary>Whether the mail server takes us: connects, encrypts and logs in as a delivery does, and leaves without a mail.</summary>
public static class SmtpReach
{
    /// <exception cref="Runs.StopRunException">One sentence that says what is wrong.</exception>
    public static async Task TryAsync(SmtpUrl url, CancellationToken cancellation) =>
        await (await SmtpConnection.OpenAsync(url, cancellation)).DisposeAsync();
}
