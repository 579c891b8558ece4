using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Jobs.StartUpProfile;

internal sealed record DefinedType(string Assembly, MetadataReader Reader, TypeDefinition Definition)
{
    public bool IsValueType { get; } = Definition.BaseType is { IsNil: false } parent
        && SignatureReader.Name(Reader, parent) is "System.ValueType" or "System.Enum"
        && SignatureReader.Name(Reader, Definition) != "System.Enum";
}

/// <summary>The types of all assemblies in a folder, by their full names (<c>Namespace.Outer`1+Inner</c>).</summary>
internal sealed class Assemblies
{
    private readonly Dictionary<string, DefinedType> _types = new(StringComparer.Ordinal);

    public Assemblies(string folder)
    {
        foreach (var file in Directory.GetFiles(folder, "*.dll"))
        {
            // Open to the end: the readers look into it.
            var image = new PEReader(File.OpenRead(file));
            if (image.HasMetadata && image.GetMetadataReader() is { IsAssembly: true } reader)
            {
                Add(reader);
            }
        }
    }

    private void Add(MetadataReader reader)
    {
        var assembly = reader.GetString(reader.GetAssemblyDefinition().Name);
        foreach (var type in reader.TypeDefinitions.Select(reader.GetTypeDefinition))
        {
            _types.TryAdd(SignatureReader.Name(reader, type), new DefinedType(assembly, reader, type));
        }
    }

    /// <exception cref="KeyNotFoundException">No assembly defines it, any more.</exception>
    public DefinedType Find(string name) => _types[name];
}
