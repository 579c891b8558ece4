using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

/// <summary>The way of one request: key, merchant, then what is asked. Faults come in where the real mishap would.</summary>
internal sealed class SumUpServer(Merchants merchants)
{
    public async Task HandleAsync(HttpContext http)
    {
        var request = http.Request;
        using var reader = new StreamReader(request.Body);
        var body = await reader.ReadToEndAsync();
        var bearer = request.Headers.Authorization.ToString();
        var merchant = bearer.StartsWith("Bearer ", StringComparison.Ordinal) ? merchants.OfKey(bearer["Bearer ".Length..]) : null;
        if (merchant is null)
        {
            await SendAsync(http, Refusal(request, SumUpError.Unauthorized()));
            return;
        }

        var fault = merchant.Faults.Match(request.Method, request.Path.Value!);
        if (fault is not null && fault.Name.EndsWith("_before", StringComparison.Ordinal) && await BeforeAsync(http, merchant, fault) is not { } passes)
            return;
        var answer = fault?.Name == "status_before" ? Refusal(request, SumUpError.Ordered(fault.Number)) : Carry(merchant, request, body);
        if (fault?.Name == "status_after")
            answer = Refusal(request, SumUpError.Ordered(fault.Number));
        answer = fault?.Name switch
        {
            "half_json" => answer with { Body = answer.Body[..(answer.Body.Length / 2)] },
            "html" => answer with { Body = "<html><body>Bad gateway</body></html>", ContentType = "text/html" },
            "empty" => answer with { Body = "" },
            _ => answer,
        };
        var cut = fault?.Name is "drop_before" or "drop_after" or "hang_before" or "hang_after";
        merchant.Requests.Add(merchant.Now, request, body, cut ? 0 : answer.Status, cut ? "" : answer.Body, fault?.Kind);
        switch (fault?.Name)
        {
            case "drop_after":
                http.Abort();
                return;
            case "hang_after":
                await merchant.Faults.Waiting.HoldAsync(http.RequestAborted);
                http.Abort();
                return;
            case "delay_after":
                await Task.Delay(fault.Number, http.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
                break;
        }

        await SendAsync(http, answer, truncated: fault?.Name == "truncated_body");
    }

    /// <returns>Null: it ends here, and nothing was done.</returns>
    private static async Task<bool?> BeforeAsync(HttpContext http, Merchant merchant, Fault fault)
    {
        switch (fault.Name)
        {
            case "drop_before":
                merchant.Requests.Add(merchant.Now, http.Request, "", 0, "", fault.Kind);
                http.Abort();
                return null;
            case "hang_before":
                await merchant.Faults.Waiting.HoldAsync(http.RequestAborted);
                merchant.Requests.Add(merchant.Now, http.Request, "", 0, "", fault.Kind);
                http.Abort();
                return null;
            case "delay_before":
                await Task.Delay(fault.Number, http.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
                return http.RequestAborted.IsCancellationRequested ? null : true;
            default:
                return true;
        }
    }

    private static Answer Carry(Merchant merchant, HttpRequest request, string body)
    {
        try
        {
            if (request.Headers.UserAgent.Count == 0)
                throw new SumUpError(400, "bad-request", "Bad Request", new JsonObject { ["type"] = "INVALID_USER_AGENT", ["detail"] = "Bad Request" });
            lock (merchant.Gate)
            {
                merchant.CatchUp();
                return Route(merchant, request, body);
            }
        }
        catch (SumUpError error)
        {
            return Refusal(request, error);
        }
    }

    private static Answer Route(Merchant merchant, HttpRequest request, string body)
    {
        var path = request.Path.Value!.Split('/')[1..];
        if (path is not [_, "merchants", _, ..] || path[2] != merchant.Code)
            throw SumUpError.NotFound();
        var (version, rest) = (path[0], path[3..]);
        return (version, request.Method, rest) switch
        {
            ("v0.1", "GET", ["readers"]) => ReaderCalls.List(merchant),
            ("v0.1", "POST", ["readers"]) => ReaderCalls.Create(merchant, Json(body)),
            ("v0.1", "GET", ["readers", var id]) => Answer.Of(200, Render.Reader(ReaderCalls.Find(merchant, id))),
            ("v0.1", "DELETE", ["readers", var id]) => ReaderCalls.Delete(merchant, id),
            ("v0.1", "GET", ["readers", var id, "status"]) => ReaderCalls.Status(merchant, id),
            ("v0.1", "POST", ["readers", var id, "checkout"]) => CheckoutCalls.Create(merchant, id, Json(body)),
            ("v0.1", "GET", ["readers", var id, "checkout", var checkout]) => CheckoutCalls.Get(merchant, id, checkout),
            ("v0.1", "POST", ["readers", var id, "terminate"]) => CheckoutCalls.Terminate(merchant, id),
            ("v2.1", "GET", ["transactions"]) => TransactionCalls.Find(merchant, request.Query),
            ("v2.1", "GET", ["transactions", "history"]) => TransactionCalls.History(merchant, request.Query),
            ("v1.0", "POST", ["payments", var id, "refunds"]) => TransactionCalls.Refund(merchant, id, body.Length == 0 ? [] : Json(body)),
            _ => throw SumUpError.NotFound(),
        };
    }

    private static JsonObject Json(string body)
    {
        try
        {
            if (JsonNode.Parse(body) is JsonObject json)
                return json;
        }
        catch (JsonException)
        {
            // Said below.
        }

        throw new SumUpError(400, "bad-request", "Bad Request", new JsonObject { ["type"] = "BAD_REQUEST", ["detail"] = "Bad Request" });
    }

    /// <summary>Readers' calls have two families of errors, refunds and the readers' list only problems, transactions neither.</summary>
    private static Answer Refusal(HttpRequest request, SumUpError error)
    {
        var path = request.Path.Value!;
        var reader = path.Contains("/readers/", StringComparison.Ordinal);
        var two = reader && path.Split('/').Length > 6;
        return error.Answer(two, two && request.Headers.Accept.ToString().Contains("problem+json", StringComparison.Ordinal), problemOnly: !two && !path.Contains("/transactions", StringComparison.Ordinal));
    }

    private static async Task SendAsync(HttpContext http, Answer answer, bool truncated = false)
    {
        var response = http.Response;
        var bytes = Encoding.UTF8.GetBytes(answer.Body);
        response.StatusCode = answer.Status;
        if (bytes.Length == 0)
        {
            // A 204 refuses even a write of nothing.
            await response.CompleteAsync();
            return;
        }

        response.ContentType = answer.ContentType;
        response.ContentLength = bytes.Length;
        if (!truncated)
        {
            await response.Body.WriteAsync(bytes);
            return;
        }

        await response.Body.WriteAsync(bytes.AsMemory(0, bytes.Length / 2));
        await response.Body.FlushAsync();
        http.Abort();
    }
}
