using System.Text.Json;

namespace Jobs.Tests.OpenApi;

/// <summary>A provider's own description of its API, where it is found. The file is the provider's and not part of this repository.</summary>
internal static class ApiDescriptionFile
{
    /// <summary>Below a folder `shared/PROVIDER` beside the repository, or in the one that JOBS_OPENAPI_DIR names; null without it.</summary>
    public static byte[]? Read(string provider, string name)
    {
        if (Environment.GetEnvironmentVariable("JOBS_OPENAPI_DIR") is { Length: > 0 } named)
            return Of(Path.Combine(named, name));
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Of(Path.Combine(folder.FullName, "shared", provider, name)) is { } found)
                return found;
        }

        return null;
    }

    private static byte[]? Of(string file) => File.Exists(file) ? File.ReadAllBytes(file) : null;

    /// <summary>Of the templates that fit, the one with the most fixed segments: <c>/search</c> is not an id.</summary>
    public static JsonElement? Operation(JsonElement root, string method, string path)
    {
        var segments = path.Split('/');
        return root.GetProperty("paths").EnumerateObject()
            .Where(template => Fits(template.Name.Split('/'), segments))
            .OrderBy(template => template.Name.Count(c => c == '{'))
            .Select(template => template.Value.TryGetProperty(method.ToLowerInvariant(), out var operation) ? operation : (JsonElement?)null)
            .FirstOrDefault();
    }

    private static bool Fits(string[] template, string[] segments) =>
        template.Length == segments.Length
        && template.Zip(segments).All(pair => pair.First.StartsWith('{') ? pair.Second.Length > 0 : pair.First == pair.Second);
}
