using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>Writes objects as Stripe shapes them: references are ids unless the request expands them.</summary>
internal sealed class JsonOut(Utf8JsonWriter writer, World world, Expansion? expansion = null)
{
    private readonly Stack<Expansion?> _outer = new();
    private Expansion? _here = expansion;

    /// <summary>True while an event of an old account version is written.</summary>
    public bool BeforeBasil { get; set; }

    public World World => world;

    public void Begin()
    {
        writer.WriteStartObject();
        _outer.Push(_here);
    }

    public void Begin(string name)
    {
        writer.WriteStartObject(name);
        Enter(name);
    }

    public void End()
    {
        writer.WriteEndObject();
        _here = _outer.Pop();
    }

    public void BeginArray(string name)
    {
        writer.WriteStartArray(name);
        Enter(name);
    }

    public void EndArray()
    {
        writer.WriteEndArray();
        _here = _outer.Pop();
    }

    public bool Expands(string name) => _here?.Child(name) is not null;

    public void Text(string name, string? value) => writer.WriteString(name, value);

    public void Item(string value) => writer.WriteStringValue(value);

    public void Number(string name, long value) => writer.WriteNumber(name, value);

    public void Number(string name, long? value)
    {
        if (value is { } number)
            writer.WriteNumber(name, number);
        else
            writer.WriteNull(name);
    }

    public void Flag(string name, bool value) => writer.WriteBoolean(name, value);

    public void Null(string name) => writer.WriteNull(name);

    public void Nulls(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            writer.WriteNull(name);
    }

    public void EmptyArray(string name)
    {
        writer.WriteStartArray(name);
        writer.WriteEndArray();
    }

    /// <summary>The id, or the object itself when the request expands it.</summary>
    public void Reference(string name, string? id)
    {
        if (id is not null && _here?.Child(name) is not null && world.Find(id) is { } target)
            Object(name, target);
        else
            Text(name, id);
    }

    public void Object(string name, IWritable value)
    {
        writer.WritePropertyName(name);
        Enter(name);
        value.Write(this);
        _here = _outer.Pop();
    }

    /// <summary>A whole list inside an object, such as the items of a subscription.</summary>
    public void List(string name, string url, IEnumerable<IWritable> items)
    {
        Begin(name);
        Text("object", "list");
        BeginArray("data");
        foreach (var item in items)
            item.Write(this);
        EndArray();
        Flag("has_more", value: false);
        Text("url", url);
        End();
    }

    private void Enter(string name)
    {
        _outer.Push(_here);
        _here = _here?.Child(name);
    }
}
