namespace Jobs.Stripe;

internal static class StripePath
{
    /// <summary>An empty id would turn a read of one object into a list of all, and dots would climb: both are refused.</summary>
    public static string Of(string collection, string id, string? action = null)
    {
        if (string.IsNullOrWhiteSpace(id) || id.Trim('.').Length == 0)
            throw new ArgumentException($"'{id}' is not the id of a Stripe object.", nameof(id));
        var path = $"{collection}/{Uri.EscapeDataString(id)}";
        return action is null ? path : $"{path}/{action}";
    }
}
