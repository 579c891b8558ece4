namespace Jobs.Testing.FakeStripe;

/// <summary>One execution of an endpoint: what its handler may look at.</summary>
internal sealed record Call(World World, Param Parameters, string[] Path, string Version)
{
    /// <summary>The id in the URL.</summary>
    public string Id => Path[0];
}

/// <summary>
/// One line of the API: method and template, the parameters it takes, the type it answers with (for expansion) and
/// what it does.
/// </summary>
internal sealed record Endpoint(string Method, string Template, string Result, Allow Allow, Func<Call, IWritable> Run)
{
    private readonly string[] _segments = Template.Split('/');

    public int Length => _segments.Length;

    /// <summary>The ids in the URL, or null when it is another one.</summary>
    public string[]? Match(ReadOnlySpan<string> path)
    {
        if (path.Length != _segments.Length)
            return null;
        List<string> arguments = [];
        for (var i = 0; i < _segments.Length; i++)
        {
            if (_segments[i].StartsWith('{'))
                arguments.Add(path[i]);
            else if (_segments[i] != path[i])
                return null;
        }

        return [.. arguments];
    }
}

internal sealed class Router(IEnumerable<Endpoint> endpoints)
{
    // A literal segment ("search") is tried before an id.
    private readonly ILookup<(string, int), Endpoint> _endpoints = endpoints
        .OrderBy(endpoint => endpoint.Template.Count(character => character == '{'))
        .ToLookup(endpoint => (endpoint.Method, endpoint.Length));

    public (Endpoint Endpoint, string[] Arguments)? Find(string method, string path)
    {
        var segments = path.Split('/');
        foreach (var endpoint in _endpoints[(method, segments.Length)])
        {
            if (endpoint.Match(segments) is { } arguments)
                return (endpoint, arguments);
        }

        return null;
    }
}
