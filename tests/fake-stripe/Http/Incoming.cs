using System.Text;

namespace Jobs.Testing.FakeStripe;

/// <summary>One request, read and parsed; what faults are matched against.</summary>
internal sealed record Incoming(string Method, string Path, Param Parameters, string? IdempotencyKey, string RequestId, bool FormBody)
{
    public (Endpoint Endpoint, string[] Arguments)? Route { get; init; }

    public string Template => Route?.Endpoint.Template ?? Path;

    public static async Task<Incoming> ReadAsync(HttpContext http, Router router, Ids ids)
    {
        var request = http.Request;
        var parameters = Param.Parse(request.QueryString.HasValue ? request.QueryString.Value.AsSpan(1) : []);
        var form = true;
        if (request.Method == "POST" && request.ContentLength is not 0)
        {
            using var reader = new StreamReader(request.Body, Encoding.UTF8);
            var body = await reader.ReadToEndAsync();
            form = body.Length == 0 || (request.ContentType ?? "").StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase);
            if (form)
                Param.Parse(body, parameters);
        }

        var path = request.Path.Value ?? "/";
        var key = request.Method == "POST" ? request.Headers["Idempotency-Key"].ToString() : "";
        return new Incoming(request.Method, path, parameters, key.Length > 0 ? key : null, ids.New("req_", 14), form)
        {
            Route = router.Find(request.Method, path),
        };
    }

    /// <summary>What a write serialises on: the customer, or the object itself when it has none.</summary>
    public string? LockName(World world)
    {
        if (Method == "GET")
            return null;
        if (Route is { Arguments: [var id, ..] })
            return world.Find(id)?.LockCustomer ?? Parameters.Text("customer") ?? id;
        return Parameters.Text("customer");
    }

    /// <summary>Metadata the request sends or, failing that, of the object its URL names.</summary>
    public string? MetadataValue(World world, string key) =>
        Parameters["metadata"]?.Text(key)
        ?? (Route is { Arguments: [var id, ..] } ? world.Find(id)?.Metadata[key] : null);
}
