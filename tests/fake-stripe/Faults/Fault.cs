using System.Globalization;
using System.Text;

namespace Jobs.Testing.FakeStripe;

internal enum FaultKind
{
    None,
    DropBefore,
    DropAfter,
    DelayBefore,
    DelayAfter,
    StatusBefore,
    StatusAfter,
    RateLimit,
    LockTimeout,
    Conflict409,
    TruncatedJson,
    TruncatedBody,
    SlowBody,
    HangBefore,
    HangAfter,
}

/// <summary>What goes wrong: a kind, its number (status or milliseconds) and how the answer looks.</summary>
internal sealed record Fault(FaultKind Kind, int Number, string Text)
{
    public static readonly Fault None = new(FaultKind.None, 0, "");

    public bool? ShouldRetry { get; init; }

    /// <summary>json, html or empty.</summary>
    public string BodyStyle { get; init; } = "json";

    public int Milliseconds => Number;

    /// <summary>Reads <c>delay_after:500</c>.</summary>
    public static Fault Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? text : text[..colon];
        var number = colon < 0 ? 0 : int.Parse(text.AsSpan(colon + 1), CultureInfo.InvariantCulture);
        return Enum.TryParse<FaultKind>(name.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var kind) && kind != FaultKind.None
            ? new Fault(kind, number, text)
            : throw new ControlException($"unknown fault '{text}'");
    }

    /// <summary>The answer given in place of any execution, when this fault is of that sort.</summary>
    public Answer? Instead(World world, Incoming incoming)
    {
        return Kind switch
        {
            FaultKind.StatusBefore => Broken(),
            FaultKind.RateLimit => Refuse(StripeError.RateLimit()) with { RateLimitedReason = "endpoint-rate" },
            FaultKind.LockTimeout => Refuse(StripeError.LockTimeout()),
            FaultKind.Conflict409 => Refuse(StripeError.KeyInUse(incoming.IdempotencyKey ?? "")),
            _ => null,
        };

        Answer Refuse(StripeError error) => new(error.Status, error.Body(world, incoming.RequestId));
    }

    /// <summary>The answer saved in place of the true one: the work is done, the caller is told it failed, for ever.</summary>
    public Answer? Replaced(Answer answer) => Kind == FaultKind.StatusAfter && answer.Saved ? Broken() with { Saved = true } : null;

    public async Task WriteAsync(HttpContext http, byte[] body)
    {
        var response = http.Response;
        switch (Kind)
        {
            case FaultKind.TruncatedJson:
                response.ContentLength = body.Length / 2;
                await response.Body.WriteAsync(body.AsMemory(0, body.Length / 2));
                break;
            case FaultKind.TruncatedBody:
                response.ContentLength = body.Length;
                await response.Body.WriteAsync(body.AsMemory(0, body.Length / 2));
                await response.Body.FlushAsync();
                http.Abort();
                break;
            case FaultKind.SlowBody:
                response.ContentLength = body.Length;
                await response.Body.WriteAsync(body.AsMemory(0, body.Length / 2));
                await response.Body.FlushAsync();
                await Task.Delay(Milliseconds);
                await response.Body.WriteAsync(body.AsMemory(body.Length / 2));
                break;
            default:
                response.ContentLength = body.Length;
                await response.Body.WriteAsync(body);
                break;
        }
    }

    private Answer Broken() => BodyStyle switch
    {
        "html" => new Answer(Number, Encoding.UTF8.GetBytes($"<html><head><title>{Number}</title></head><body><center><h1>{Number}</h1></center><hr><center>nginx</center></body></html>"), "text/html"),
        "empty" => new Answer(Number, [], "text/plain"),
        _ => new Answer(Number, """{"error":{"message":"An unknown error occurred","type":"api_error"}}"""u8.ToArray()),
    };
}
