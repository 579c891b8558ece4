using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

internal sealed record Answer(int Status, string Body, string ContentType = "application/json")
{
    public static Answer Of(int status, JsonNode body) => new(status, body.ToJsonString());
}

/// <summary>A refusal in the words of the endpoint's family; readers' endpoints have two, chosen by the Accept header.</summary>
internal sealed class SumUpError(int status, string problem, string detail, JsonObject? legacy = null) : Exception(detail)
{
    public Answer Answer(bool reader, bool acceptsProblem, bool problemOnly)
    {
        if (problemOnly || acceptsProblem)
            return new Answer(status, Problem().ToJsonString(), "application/problem+json");
        if (reader)
            return FakeSumUp.Answer.Of(status, new JsonObject { ["errors"] = legacy ?? new JsonObject { ["type"] = problem.ToUpperInvariant().Replace('-', '_'), ["detail"] = Message } });
        return status == 401
            ? FakeSumUp.Answer.Of(status, Problem())
            : FakeSumUp.Answer.Of(status, new JsonObject { ["error_code"] = problem.ToUpperInvariant().Replace('-', '_'), ["message"] = Message });
    }

    private JsonObject Problem() => new()
    {
        ["type"] = "https://developer.sumup.com/problem/" + problem,
        ["title"] = problem,
        ["status"] = status,
        ["detail"] = Message,
    };

    public static SumUpError Unauthorized() => new(401, "unauthorized", "Unauthorized.", new JsonObject { ["type"] = "INVALID_ACCESS_TOKEN", ["detail"] = "Unauthorized" });

    public static SumUpError NotFound() => new(404, "not-found", "Resource not found", new JsonObject { ["detail"] = "Resource not found" });

    public static SumUpError Field(string field, string message) =>
        new(422, "validation-error", "Validation failed", new JsonObject { [field] = new JsonArray(message) });

    /// <summary>By order of a fault.</summary>
    public static SumUpError Ordered(int status) => status switch
    {
        401 => Unauthorized(),
        404 => NotFound(),
        _ => new SumUpError(status, status switch { 403 => "forbidden", 409 => "conflict", 429 => "too-many-requests", 422 => "unprocessable-entity", _ => "internal-server-error" }, "by order"),
    };
}
