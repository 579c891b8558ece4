using System.Text.Json;
using Xunit;

namespace Jobs.Tests.OpenApi;

/// <summary>Stripe's own description of its API, as the judge of what a client sends and of what a fake answers.</summary>
public sealed class StripeApiDescription
{
    private const string FileName = "stripe-openapi-subset.json";
    private static readonly Lazy<StripeApiDescription?> Found = new(() => ApiDescriptionFile.Read("stripe", FileName) is { } json ? new(json) : null);

    private readonly JsonElement root;
    private readonly ResponseSchema responses;

    public StripeApiDescription(ReadOnlyMemory<byte> json)
    {
        root = JsonDocument.Parse(json).RootElement;
        responses = new ResponseSchema(root.GetProperty("components"));
    }

    /// <summary>The file is Stripe's and not part of this repository; without it the test is skipped.</summary>
    public static StripeApiDescription FoundOrSkip()
    {
        Assert.SkipWhen(
            Found.Value is null,
            $"Stripe's API description was not found: put {FileName} into shared/stripe beside the repository, or name its folder in JOBS_OPENAPI_DIR.");
        return Found.Value!;
    }

    public string Version => root.GetProperty("info").GetProperty("version").GetString()!;

    /// <param name="method">HTTP method in any case.</param>
    /// <param name="path">With <c>/v1</c>, without query; segments still escaped.</param>
    /// <param name="parameters">Decoded pairs: of the query for GET and DELETE, of the body for POST.</param>
    /// <returns>What Stripe would refuse, one line each; empty when nothing.</returns>
    public IReadOnlyList<string> CheckRequest(string method, string path, IEnumerable<KeyValuePair<string, string>> parameters)
    {
        if (ApiDescriptionFile.Operation(root, method, path) is not { } operation)
            return [$"{method} {path}: is not in the description"];
        var violations = new List<string>();
        var tree = FormTree.Parse(parameters, violations);
        if (method.Equals("POST", StringComparison.OrdinalIgnoreCase))
        {
            var form = operation.GetProperty("requestBody").GetProperty("content").GetProperty("application/x-www-form-urlencoded");
            RequestSchema.Check(tree, form.GetProperty("schema"), "", violations);
            return violations;
        }

        var query = operation.GetProperty("parameters").EnumerateArray().Where(p => p.GetProperty("in").GetString() == "query").ToList();
        RequestSchema.CheckMembers(
            tree,
            query.ToDictionary(p => p.GetProperty("name").GetString()!, p => p.GetProperty("schema"), StringComparer.Ordinal),
            query.Where(p => p.TryGetProperty("required", out var r) && r.GetBoolean()).Select(p => p.GetProperty("name").GetString()!),
            null,
            "",
            violations);
        return violations;
    }

    /// <returns>Where the body differs from what Stripe would answer with that status, one line each, as <c>$.member: what</c>.</returns>
    public IReadOnlyList<string> CheckResponse(string method, string path, int status, JsonElement body)
    {
        if (ApiDescriptionFile.Operation(root, method, path) is not { } operation)
            return [$"{method} {path}: is not in the description"];
        var answers = operation.GetProperty("responses");
        if (!answers.TryGetProperty(status.ToString(System.Globalization.CultureInfo.InvariantCulture), out var answer))
            answer = answers.GetProperty("default");
        var violations = new List<string>();
        responses.Check(body, answer.GetProperty("content").GetProperty("application/json").GetProperty("schema"), "$", violations);
        return violations;
    }

    /// <summary>One object by its name in the description, such as <c>payment_intent</c>.</summary>
    public IReadOnlyList<string> CheckObject(string schema, JsonElement value)
    {
        var violations = new List<string>();
        responses.Check(value, root.GetProperty("components").GetProperty("schemas").GetProperty(schema), "$", violations);
        return violations;
    }
}
