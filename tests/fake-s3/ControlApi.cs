using System.Globalization;

namespace Jobs.Testing.FakeS3;

/// <summary>
/// /_fake: POST reset; POST faults {kind, method, nth}; DELETE faults (and releases what hangs, and forgets the requests);
/// GET state {requests, held, uploads}; GET objects/BUCKET (keys, one a line); GET, PUT and DELETE objects/BUCKET/KEY.
/// </summary>
internal sealed class ControlApi(ObjectStore store, Faults faults)
{
    private sealed record FaultRequest(string Kind, string? Method, int? Nth);

    public async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!.Split('/', 5, StringSplitOptions.None)[2..];
        switch (http.Request.Method, path)
        {
            case ("POST", ["reset"]):
                store.Reset();
                faults.Clear();
                break;
            case ("POST", ["faults"]):
                var asked = (await http.Request.ReadFromJsonAsync<FaultRequest>())!;
                var kind = asked.Kind.Split(':');
                var status = kind.Length > 1 ? int.Parse(kind[1], CultureInfo.InvariantCulture) : 0;
                faults.Add(new Fault(kind[0], asked.Method ?? "", asked.Nth, status, CodeOf(status)));
                break;
            case ("DELETE", ["faults"]):
                faults.Clear();
                break;
            case ("GET", ["state"]):
                await http.Response.WriteAsJsonAsync(new { requests = faults.Requests, held = faults.Waiting.Count, uploads = store.Uploads });
                break;
            case ("GET", ["objects", var bucket]):
                await http.Response.WriteAsync(string.Join('\n', store.Bucket(bucket)!.Keys.Order(StringComparer.Ordinal)));
                break;
            case ("GET", ["objects", var bucket, var key]) when store.Bucket(bucket)!.TryGetValue(key, out var found):
                await http.Response.Body.WriteAsync(found.Content);
                break;
            case ("PUT", ["objects", var bucket, var key]):
                using (var body = new MemoryStream())
                {
                    await http.Request.Body.CopyToAsync(body);
                    store.Bucket(bucket)![key] = StoredObject.Of(body.ToArray());
                }

                break;
            case ("DELETE", ["objects", var bucket, var key]):
                store.Bucket(bucket)!.TryRemove(key, out _);
                break;
            default:
                http.Response.StatusCode = 404;
                break;
        }
    }

    private static string CodeOf(int status) => status switch
    {
        403 => "AccessDenied",
        503 => "SlowDown",
        507 => "InsufficientStorage",
        _ => "InternalError",
    };
}
