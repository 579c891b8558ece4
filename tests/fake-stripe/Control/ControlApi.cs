using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>Everything under <c>/_fake</c>; the README beside this program shows each of them with curl.</summary>
internal sealed class ControlApi(FakeAccount account)
{
    public async Task HandleAsync(HttpContext http)
    {
        var request = http.Request;
        try
        {
            using var document = request.ContentLength is > 0 || request.Headers.TransferEncoding.Count > 0
                ? await JsonDocument.ParseAsync(request.Body)
                : JsonDocument.Parse("{}");
            var path = request.Path.Value!["/_fake".Length..].Trim('/').Split('/');
            var wait = path is ["holds"] && request.Method == "GET" ? Number(request, "wait") : 0;
            if (wait > 0)
                await HeldAsync(wait, Number(request, "count") is var count and > 0 ? count : 1, http.RequestAborted);
            await SendAsync(http, 200, Answer(request, path, document.RootElement));
        }
        catch (Exception error) when (error is ControlException or JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            await SendAsync(http, 400, Render.Bytes(writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("error", error.Message);
                writer.WriteEndObject();
            }));
        }
    }

    private byte[] Answer(HttpRequest request, string[] path, JsonElement body)
    {
        var world = account.World;
        lock (world.Gate)
        {
            world.Settle();
            return (request.Method, path) switch
            {
                ("GET", ["health"]) => """{"status":"ok"}"""u8.ToArray(),
                ("POST", ["reset"]) => account.Reset(),
                ("GET", ["clock"]) => ControlState.Clock(world),
                ("POST", ["clock"]) => ControlState.SetClock(world, body),
                ("GET", ["config"]) => ControlState.Config(world.Config),
                ("POST", ["config"]) => ControlState.SetConfig(account, body),
                ("POST", ["seed"]) => Seeding.Run(world, body),
                ("GET", ["ledger"]) => Ledger.Write(world, request.Query["group"].FirstOrDefault()),
                ("GET", ["dump"]) => ControlState.Dump(world),
                ("GET", ["requests"]) => ControlState.Requests(account.Log, Number(request, "limit") is var limit and > 0 ? limit : int.MaxValue),
                ("DELETE", ["requests"]) => Done(account.Log.Clear),
                ("GET", ["faults"]) => ControlState.Faults(account.Faults),
                ("POST", ["faults"]) => ControlState.AddFaults(account.Faults, body),
                ("DELETE", ["faults"]) => Done(account.Faults.Clear),
                ("DELETE", ["faults", var id]) => Done(() => account.Faults.Remove(int.Parse(id, CultureInfo.InvariantCulture))),
                ("GET", ["holds"]) => ControlState.Holds(account.Holds),
                ("POST", ["holds", "release"]) => ControlState.Released(account.Holds.Release((int?)body.Long("id"))),
                ("POST", ["payment_intents", var id, var action]) => Render.Bytes(world, ControlPayments.Move(world, id, action, body)),
                ("POST", ["refunds", var id]) => Render.Bytes(world, ControlPayments.MoveRefund(world, id, body)),
                ("POST", ["payment_methods", var id]) => Render.Bytes(world, ControlPayments.Change(world, id, body)),
                _ => throw new ControlException($"no such control: {request.Method} {request.Path}"),
            };
        }
    }

    private async Task HeldAsync(int milliseconds, int count, CancellationToken clientGone)
    {
        var started = Stopwatch.GetTimestamp();
        while (account.Holds.Read().Length < count && Stopwatch.GetElapsedTime(started).TotalMilliseconds < milliseconds)
            await Task.Delay(2, clientGone);
    }

    private static byte[] Done(Action action)
    {
        action();
        return "{}"u8.ToArray();
    }

    private static int Number(HttpRequest request, string name) =>
        int.TryParse(request.Query[name], NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static async Task SendAsync(HttpContext http, int status, byte[] body)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body);
    }
}
