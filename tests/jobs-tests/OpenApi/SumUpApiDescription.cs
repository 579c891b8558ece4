using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Jobs.Tests.OpenApi;

/// <summary>SumUp's own description of its API, as the judge of what our client sends and our fake answers. Members it does not know are violations.</summary>
public sealed class SumUpApiDescription(ReadOnlyMemory<byte> json)
{
    private const string FileName = "sumup-openapi-subset.json";
    private static readonly Lazy<SumUpApiDescription?> Found = new(() => ApiDescriptionFile.Read("sumup", FileName) is { } json ? new(json) : null);

    private readonly JsonElement root = JsonDocument.Parse(json).RootElement;

    /// <summary>The file is SumUp's and not part of this repository; without it the test is skipped.</summary>
    public static SumUpApiDescription FoundOrSkip()
    {
        Assert.SkipWhen(
            Found.Value is null,
            $"SumUp's API description was not found: put {FileName} into shared/sumup beside the repository, or name its folder in JOBS_OPENAPI_DIR.");
        return Found.Value!;
    }

    public IReadOnlyList<string> CheckRequest(string method, string path, string query, string body)
    {
        if (ApiDescriptionFile.Operation(root, method, path) is not { } operation)
            return [$"{method} {path}: is not in the description"];
        var violations = new List<string>();
        var known = operation.TryGetProperty("parameters", out var parameters)
            ? parameters.EnumerateArray().Where(p => p.GetProperty("in").GetString() == "query").ToDictionary(p => p.GetProperty("name").GetString()!, p => p.GetProperty("schema"), StringComparer.Ordinal)
            : [];
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=').Select(Uri.UnescapeDataString).ToArray()))
        {
            if (!known.TryGetValue(pair[0], out var schema))
                violations.Add($"?{pair[0]}: is not a parameter");
            else
                CheckText(pair[1], Resolve(schema), $"?{pair[0]}", violations);
        }

        var described = operation.TryGetProperty("requestBody", out var requestBody);
        if (!described && body.Length > 0)
            violations.Add("there must be no body");
        if (described && body.Length > 0 && requestBody.GetProperty("content").GetProperty("application/json").TryGetProperty("schema", out var bodySchema))
            Check(JsonDocument.Parse(body).RootElement, bodySchema, "$", violations);
        return violations;
    }

    public IReadOnlyList<string> CheckResponse(string method, string path, int status, string body, bool problem)
    {
        if (ApiDescriptionFile.Operation(root, method, path) is not { } operation)
            return [$"{method} {path}: is not in the description"];
        if (!operation.GetProperty("responses").TryGetProperty(status.ToString(CultureInfo.InvariantCulture), out var answer))
            return [$"{status} is not described"];
        var violations = new List<string>();
        if (!answer.TryGetProperty("content", out var content))
            return body.Length == 0 ? violations : ["there must be no body"];
        if (!content.TryGetProperty(problem ? "application/problem+json" : "application/json", out var type))
            return ["it is of the wrong content type"];
        if (body.Length > 0 && type.TryGetProperty("schema", out var schema))
            Check(JsonDocument.Parse(body).RootElement, schema, "$", violations);
        return violations;
    }

    private void Check(JsonElement value, JsonElement schema, string path, List<string> violations)
    {
        schema = Resolve(schema);
        if (value.ValueKind == JsonValueKind.Null)
        {
            if (!(schema.TryGetProperty("nullable", out var nullable) && nullable.GetBoolean()))
                violations.Add($"{path}: must not be null");
            return;
        }

        var (properties, required, open) = Members(schema);
        if (value.ValueKind == JsonValueKind.Object && properties.Count > 0)
        {
            violations.AddRange(required.Where(name => !value.TryGetProperty(name, out _)).Select(name => $"{path}.{name}: is missing"));
            foreach (var member in value.EnumerateObject())
            {
                if (properties.TryGetValue(member.Name, out var memberSchema))
                    Check(member.Value, memberSchema, $"{path}.{member.Name}", violations);
                else if (!open)
                    violations.Add($"{path}.{member.Name}: is not described");
            }

            return;
        }

        switch (schema.TryGetProperty("type", out var type) ? type.GetString() : properties.Count > 0 ? "object" : null)
        {
            case "object" when value.ValueKind != JsonValueKind.Object:
            case "string" when value.ValueKind != JsonValueKind.String:
            case "number" or "integer" when value.ValueKind != JsonValueKind.Number:
            case "integer" when !value.TryGetInt64(out _):
            case "array" when value.ValueKind != JsonValueKind.Array:
                violations.Add($"{path}: is {value.ValueKind}, not {type}");
                break;
            case "array":
                var index = 0;
                foreach (var item in value.EnumerateArray())
                    Check(item, schema.GetProperty("items"), $"{path}[{index++}]", violations);
                break;
            case "string":
                CheckText(value.GetString()!, schema, path, violations);
                break;
        }
    }

    private void CheckText(string text, JsonElement schema, string path, List<string> violations)
    {
        if (schema.TryGetProperty("type", out var type) && type.GetString() == "array")
        {
            CheckText(text, Resolve(schema.GetProperty("items")), path, violations);
            return;
        }

        if (schema.TryGetProperty("enum", out var values) && !values.EnumerateArray().Any(v => v.GetString() == text))
            violations.Add($"{path}: '{text}' is not one of its values");
        if (schema.TryGetProperty("minLength", out var least) && text.Length < least.GetInt32())
            violations.Add($"{path}: '{text}' is too short");
        if (schema.TryGetProperty("maxLength", out var most) && text.Length > most.GetInt32())
            violations.Add($"{path}: '{text}' is too long");
        if (type.ValueKind == JsonValueKind.String && type.GetString() == "integer" && !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            violations.Add($"{path}: '{text}' is not a whole number");
        if (schema.TryGetProperty("format", out var format) && format.GetString() == "date-time" && !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _))
            violations.Add($"{path}: '{text}' is not a time");
    }

    private (Dictionary<string, JsonElement> Properties, List<string> Required, bool Open) Members(JsonElement schema)
    {
        var (properties, required, open) = (new Dictionary<string, JsonElement>(StringComparer.Ordinal), new List<string>(), false);
        if (schema.TryGetProperty("allOf", out var parts))
        {
            foreach (var part in parts.EnumerateArray().Select(part => Members(Resolve(part))))
            {
                foreach (var (name, member) in part.Properties)
                    properties[name] = member;
                required.AddRange(part.Required);
                open |= part.Open;
            }
        }

        if (schema.TryGetProperty("properties", out var own))
        {
            foreach (var member in own.EnumerateObject())
                properties[member.Name] = member.Value;
        }

        if (schema.TryGetProperty("required", out var names) && names.ValueKind == JsonValueKind.Array)
            required.AddRange(names.EnumerateArray().Select(name => name.GetString()!));
        return (properties, required, open || (schema.TryGetProperty("additionalProperties", out var others) && others.ValueKind != JsonValueKind.False));
    }

    private JsonElement Resolve(JsonElement schema)
    {
        while (schema.TryGetProperty("$ref", out var reference))
            schema = root.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1]);
        return schema;
    }
}
