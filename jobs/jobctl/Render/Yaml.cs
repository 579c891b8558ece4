namespace Jobs.Render;

internal static class Yaml
{
    /// <summary>Every line of it this much further to the right.</summary>
    public static string Indent(this string text, int spaces) =>
        string.Join('\n', text.Split('\n').Select(line => line.Length == 0 ? line : new string(' ', spaces) + line));

    /// <summary>A text as YAML reads it back, whatever is in it.</summary>
    public static string Quoted(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
