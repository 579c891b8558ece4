using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

/// <summary>What came, what was answered (status 0: nothing) and what went wrong by order.</summary>
internal sealed class RequestLog
{
    private readonly Lock _lock = new();
    private readonly List<(DateTimeOffset At, string Method, string Path, string Query, string Body, int Status, string Answer, string? Fault)> _entries = [];

    public void Add(DateTimeOffset at, HttpRequest request, string body, int status, string answer, string? fault)
    {
        lock (_lock)
            _entries.Add((at, request.Method, request.Path.Value!, request.QueryString.Value!.TrimStart('?'), body, status, answer, fault));
    }

    public JsonArray Render()
    {
        lock (_lock)
        {
            return [.. _entries.Select(entry => new JsonObject
            {
                ["at"] = Render(entry.At),
                ["method"] = entry.Method,
                ["path"] = entry.Path,
                ["query"] = entry.Query,
                ["body"] = entry.Body,
                ["status"] = entry.Status,
                ["answer"] = entry.Answer,
                ["fault"] = entry.Fault,
            })];
        }
    }

    public void Clear()
    {
        lock (_lock)
            _entries.Clear();
    }

    private static string Render(DateTimeOffset at) => at.ToString("O", System.Globalization.CultureInfo.InvariantCulture);
}
