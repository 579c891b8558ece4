using System.Globalization;
using System.Text.Json;

namespace Jobs.Tests.OpenApi;

/// <summary>Parameters against their schema. Strict: Stripe refuses unknown parameters and unknown values of an enum.</summary>
internal static class RequestSchema
{
    public static void Check(FormTree node, JsonElement schema, string path, List<string> violations)
    {
        if (schema.TryGetProperty("anyOf", out var anyOf))
        {
            CheckAnyOf(node, anyOf, path, violations);
            return;
        }

        switch (schema.GetProperty("type").GetString())
        {
            case "object":
                CheckObject(node, schema, path, violations);
                break;
            case "array":
                CheckArray(node, schema, path, violations);
                break;
            case var type:
                CheckValue(node, type!, schema, path, violations);
                break;
        }
    }

    public static void CheckMembers(FormTree node, IReadOnlyDictionary<string, JsonElement> members, IEnumerable<string> required, JsonElement? others, string path, List<string> violations)
    {
        foreach (var name in required.Where(name => !node.Children.ContainsKey(name)))
            violations.Add($"{Join(path, name)}: is missing");
        foreach (var (name, child) in node.Children)
        {
            if (members.TryGetValue(name, out var schema))
                Check(child, schema, Join(path, name), violations);
            else if (others is { } other)
                Check(child, other, Join(path, name), violations);
            else
                violations.Add($"{Join(path, name)}: is not a parameter");
        }
    }

    /// <summary>When no branch fits, the one of the parameter's own shape speaks.</summary>
    private static void CheckAnyOf(FormTree node, JsonElement anyOf, string path, List<string> violations)
    {
        List<string>? closest = null;
        foreach (var branch in anyOf.EnumerateArray().OrderByDescending(branch => IsGroup(branch) == (node.Value is null)))
        {
            var found = new List<string>();
            Check(node, branch, path, found);
            if (found.Count == 0)
                return;
            if (closest is null || found.Count < closest.Count)
                closest = found;
        }

        violations.AddRange(closest ?? []);
    }

    private static bool IsGroup(JsonElement schema) => schema.TryGetProperty("type", out var type) && type.GetString() is "object" or "array";

    private static void CheckObject(FormTree node, JsonElement schema, string path, List<string> violations)
    {
        if (node.Value is not null)
        {
            // An empty value unsets a group.
            if (node.Value.Length > 0)
                violations.Add($"{path}: is a group, not a value");
            return;
        }

        var members = schema.TryGetProperty("properties", out var properties)
            ? properties.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal)
            : [];
        var required = schema.TryGetProperty("required", out var names) ? names.EnumerateArray().Select(n => n.GetString()!) : [];
        JsonElement? others = schema.TryGetProperty("additionalProperties", out var additional) && additional.ValueKind == JsonValueKind.Object ? additional : null;
        CheckMembers(node, members, required, others, path, violations);
    }

    private static void CheckArray(FormTree node, JsonElement schema, string path, List<string> violations)
    {
        if (node.Value is not null)
        {
            if (node.Value.Length > 0)
                violations.Add($"{path}: is a list, not a value");
            return;
        }

        for (var i = 0; i < node.Children.Count; i++)
        {
            if (node.Children.TryGetValue(i.ToString(CultureInfo.InvariantCulture), out var item))
                Check(item, schema.GetProperty("items"), $"{path}[{i}]", violations);
            else
                violations.Add($"{path}: is not a list indexed from 0");
        }
    }

    private static void CheckValue(FormTree node, string type, JsonElement schema, string path, List<string> violations)
    {
        if (node.Value is not { } value)
        {
            violations.Add($"{path}: is a value, not a group");
            return;
        }

        var fits = type switch
        {
            "integer" => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
            "number" => decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _),
            "boolean" => value is "true" or "false",
            _ => true,
        };
        if (!fits)
            violations.Add($"{path}: '{value}' is not of type {type}");
        if (schema.TryGetProperty("enum", out var values) && !values.EnumerateArray().Any(v => v.ToString() == value))
            violations.Add($"{path}: '{value}' is not one of its values");
        if (schema.TryGetProperty("maxLength", out var maxLength) && value.Length > maxLength.GetInt32())
            violations.Add($"{path}: is longer than {maxLength.GetInt32()} characters");
        if (path == "limit" && fits && long.Parse(value, CultureInfo.InvariantCulture) is < 1 or > 100)
            violations.Add($"{path}: '{value}' is not within 1 to 100");
    }

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}[{name}]";
}
