using System.Text.Json;

namespace Jobs.Tests.OpenApi;

/// <summary>
/// An answer against its schema: required members, types, nulls, references that are an id or an expanded object.
/// Enums are open, as Stripe documents them, except <c>object</c>, which tells what an object is. Times in
/// milliseconds and members that the description does not know are violations too: a fake makes such mistakes.
/// </summary>
internal sealed class ResponseSchema(JsonElement components)
{
    private const long LastPlausibleSecond = 9_999_999_999;

    public void Check(JsonElement value, JsonElement schema, string path, List<string> violations)
    {
        schema = Resolve(schema);
        if (value.ValueKind == JsonValueKind.Null)
        {
            if (!(schema.TryGetProperty("nullable", out var nullable) && nullable.GetBoolean()))
                violations.Add($"{path}: must not be null");
            return;
        }

        if (schema.TryGetProperty("anyOf", out var anyOf))
        {
            CheckAnyOf(value, anyOf, path, violations);
            return;
        }

        if (!schema.TryGetProperty("type", out var type))
            return;
        switch (type.GetString())
        {
            case "object":
                CheckObject(value, schema, path, violations);
                break;
            case "array" when value.ValueKind == JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                    Check(item, schema.GetProperty("items"), $"{path}[{index++}]", violations);
                break;
            case "string" when value.ValueKind == JsonValueKind.String:
            case "boolean" when value.ValueKind is JsonValueKind.True or JsonValueKind.False:
            case "number" when value.ValueKind == JsonValueKind.Number:
                CheckClosedEnum(value, schema, path, violations);
                break;
            case "integer" when value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number):
                if (schema.TryGetProperty("format", out var format) && format.GetString() == "unix-time" && number is < 0 or > LastPlausibleSecond)
                    violations.Add($"{path}: {number} is not a time in seconds");
                break;
            case var expected:
                violations.Add($"{path}: is {Name(value)}, not {expected}");
                break;
        }
    }

    private void CheckObject(JsonElement value, JsonElement schema, string path, List<string> violations)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            violations.Add($"{path}: is {Name(value)}, not object");
            return;
        }

        if (schema.TryGetProperty("required", out var required))
            foreach (var name in required.EnumerateArray().Select(n => n.GetString()!).Where(n => !value.TryGetProperty(n, out _)))
                violations.Add($"{path}.{name}: is missing");
        var described = schema.TryGetProperty("properties", out var properties) && properties.EnumerateObject().Any();
        var additional = schema.TryGetProperty("additionalProperties", out var others) && others.ValueKind == JsonValueKind.Object;
        foreach (var member in value.EnumerateObject())
        {
            if (described && properties.TryGetProperty(member.Name, out var memberSchema))
                Check(member.Value, memberSchema, $"{path}.{member.Name}", violations);
            else if (additional)
                Check(member.Value, others, $"{path}.{member.Name}", violations);
            else if (described)
                violations.Add($"{path}.{member.Name}: is not described");
        }
    }

    /// <summary>An object is measured by the branch that says what it is; else the branch with the fewest violations speaks.</summary>
    private void CheckAnyOf(JsonElement value, JsonElement anyOf, string path, List<string> violations)
    {
        List<string>? closest = null;
        foreach (var branch in anyOf.EnumerateArray().Select(Resolve).Where(b => IsSameKind(value, b)))
        {
            var found = new List<string>();
            Check(value, branch, path, found);
            if (found.Count == 0)
                return;
            if (closest is null || found.Count < closest.Count)
                closest = found;
        }

        violations.AddRange(closest ?? [$"{path}: is {Name(value)}, which is none of the possible shapes"]);
    }

    private static bool IsSameKind(JsonElement value, JsonElement branch)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return true;
        if (!branch.TryGetProperty("properties", out var properties))
            return branch.TryGetProperty("type", out var type) && type.GetString() == "object";
        if (!properties.TryGetProperty("object", out var kind) || !kind.TryGetProperty("enum", out var kinds) || !value.TryGetProperty("object", out var actual))
            return true;
        return kinds.EnumerateArray().Any(k => k.ToString() == actual.ToString());
    }

    private static void CheckClosedEnum(JsonElement value, JsonElement schema, string path, List<string> violations)
    {
        var closed = path.EndsWith(".object", StringComparison.Ordinal) || path.EndsWith(".deleted", StringComparison.Ordinal);
        if (closed && schema.TryGetProperty("enum", out var values) && !values.EnumerateArray().Any(v => v.ToString() == value.ToString()))
            violations.Add($"{path}: '{value}' is not what the description says it is");
    }

    private JsonElement Resolve(JsonElement schema)
    {
        while (schema.TryGetProperty("$ref", out var reference))
            schema = components.GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1]);
        return schema;
    }

    private static string Name(JsonElement value) => value.ValueKind.ToString().ToLowerInvariant();
}
