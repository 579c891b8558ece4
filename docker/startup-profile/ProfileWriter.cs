using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Jobs.StartUpProfile;

/// <summary>
/// Writes the list as a .mibc file: an assembly whose code names the methods one after the other (`ldtoken`, `pop`). The
/// compiler leaves aside what it cannot find.
/// </summary>
/// <remarks>Source of the format: MIbcProfileParser in the runtime's repository.</remarks>
internal sealed class ProfileWriter
{
    // Stands for any reference type in code that is shared by all of them.
    private const string Shared = "System.__Canon";

    private static readonly Dictionary<string, PrimitiveTypeCode> Primitives = new(StringComparer.Ordinal)
    {
        ["bool"] = PrimitiveTypeCode.Boolean,
        ["char"] = PrimitiveTypeCode.Char,
        ["byte"] = PrimitiveTypeCode.SByte,
        ["ubyte"] = PrimitiveTypeCode.Byte,
        ["short"] = PrimitiveTypeCode.Int16,
        ["ushort"] = PrimitiveTypeCode.UInt16,
        ["int"] = PrimitiveTypeCode.Int32,
        ["uint"] = PrimitiveTypeCode.UInt32,
        ["long"] = PrimitiveTypeCode.Int64,
        ["ulong"] = PrimitiveTypeCode.UInt64,
        ["float"] = PrimitiveTypeCode.Single,
        ["double"] = PrimitiveTypeCode.Double,
        ["nint"] = PrimitiveTypeCode.IntPtr,
        ["nuint"] = PrimitiveTypeCode.UIntPtr,
    };

    // Nothing of the time or the machine: the same list gives the same bytes.
    private static readonly BlobContentId Identity = new(new Guid("8f6f1f5e-5f0c-4a5e-9d0e-6c1f1d2b7a10"), 1);

    private readonly Assemblies _assemblies;
    private readonly MetadataBuilder _metadata = new();
    private readonly Dictionary<string, EntityHandle> _references = new(StringComparer.Ordinal);
    private readonly SignatureReader _signatures;
    private readonly InstructionEncoder _methods = new(new BlobBuilder());

    public ProfileWriter(Assemblies assemblies)
    {
        _assemblies = assemblies;
        _signatures = new SignatureReader(Reference);
    }

    /// <returns>False when there is no such method, or it cannot be named.</returns>
    public bool TryAdd(string text)
    {
        try
        {
            var method = MethodName.Parse(text);
            var owner = _assemblies.Find(method.Owner.Name);
            var overloads = owner.Definition.GetMethods().Select(owner.Reader.GetMethodDefinition)
                .Where(m => owner.Reader.StringComparer.Equals(m.Name, method.Name))
                .Select(m => m.DecodeSignature(_signatures, null))
                .Where(s => s.ParameterTypes.Length == method.Parameters && s.GenericParameterCount == method.Arguments.Count)
                .Select(s => Write(method, s)).ToList();
            overloads.ForEach(handle =>
            {
                _methods.OpCode(ILOpCode.Ldtoken);
                _methods.Token(handle);
                _methods.OpCode(ILOpCode.Pop);
            });
            return overloads.Count > 0;
        }
        catch (Exception e) when (e is FormatException or KeyNotFoundException or NotSupportedException)
        {
            return false;
        }
    }

    private EntityHandle Write(MethodName method, MethodSignature<SignatureType> signature)
    {
        var blob = new BlobBuilder();
        new BlobEncoder(blob)
            .MethodSignature(signature.Header.CallingConvention, signature.GenericParameterCount, signature.Header.IsInstance)
            .Parameters(signature.ParameterTypes.Length, out var returned, out var parameters);
        Write(returned, signature.ReturnType);
        foreach (var parameter in signature.ParameterTypes)
        {
            var encoder = parameters.AddParameter();
            Write(encoder.CustomModifiers(), parameter);
            parameter.Write(encoder.Type(parameter.IsByReference));
        }

        var member = _metadata.AddMemberReference(Owner(method.Owner), _metadata.GetOrAddString(method.Name), _metadata.GetOrAddBlob(blob));
        if (method.Arguments.Count == 0)
        {
            return member;
        }

        var instantiation = new BlobBuilder();
        var arguments = new BlobEncoder(instantiation).MethodSpecificationSignature(method.Arguments.Count);
        foreach (var argument in method.Arguments)
        {
            Write(arguments.AddArgument(), argument);
        }

        return _metadata.AddMethodSpecification(member, _metadata.GetOrAddBlob(instantiation));
    }

    private void Write(ReturnTypeEncoder encoder, SignatureType type)
    {
        Write(encoder.CustomModifiers(), type);
        if (type.IsVoid)
        {
            encoder.Void();
        }
        else
        {
            type.Write(encoder.Type(type.IsByReference));
        }
    }

    private void Write(CustomModifiersEncoder encoder, SignatureType type)
    {
        foreach (var (name, required) in type.Modifiers)
        {
            encoder = encoder.AddModifier(Reference(name), !required);
        }
    }

    private void Write(SignatureTypeEncoder encoder, TypeName type)
    {
        if (type.ArrayRanks > 0)
        {
            Write(encoder.SZArray(), type with { ArrayRanks = type.ArrayRanks - 1 });
        }
        else if (Primitives.TryGetValue(type.Name, out var primitive))
        {
            encoder.PrimitiveType(primitive);
        }
        else if (type.Name is "System.String")
        {
            encoder.String();
        }
        else if (type.Name is "System.Object")
        {
            encoder.Object();
        }
        else if (type.Arguments.Count == 0)
        {
            encoder.Type(Reference(type.Name), IsValueType(type.Name));
        }
        else
        {
            var arguments = encoder.GenericInstantiation(Reference(type.Name), type.Arguments.Count, IsValueType(type.Name));
            foreach (var argument in type.Arguments)
            {
                Write(arguments.AddArgument(), argument);
            }
        }
    }

    private bool IsValueType(string name) => name != Shared && _assemblies.Find(name).IsValueType;

    private EntityHandle Owner(TypeName type)
    {
        if (type.Arguments.Count == 0)
        {
            return Reference(type.Name);
        }

        var blob = new BlobBuilder();
        Write(new BlobEncoder(blob).TypeSpecificationSignature(), type);
        return _metadata.AddTypeSpecification(_metadata.GetOrAddBlob(blob));
    }

    private EntityHandle Reference(string name)
    {
        if (!_references.TryGetValue(name, out var reference))
        {
            var outer = name.LastIndexOf('+');
            var space = Math.Max(name.LastIndexOf('.'), 0);
            reference = outer > 0
                ? _metadata.AddTypeReference(Reference(name[..outer]), default, _metadata.GetOrAddString(name[(outer + 1)..]))
                : _metadata.AddTypeReference(
                    Assembly(name == Shared ? "System.Private.Canon" : _assemblies.Find(name).Assembly),
                    space == 0 ? default : _metadata.GetOrAddString(name[..space]),
                    _metadata.GetOrAddString(name[space..].TrimStart('.')));
            _references.Add(name, reference);
        }

        return reference;
    }

    private EntityHandle Assembly(string name)
    {
        var key = $"{name}.dll";
        if (!_references.TryGetValue(key, out var reference))
        {
            reference = _metadata.AddAssemblyReference(_metadata.GetOrAddString(name), new Version(0, 0, 0, 0), default, default, default, default);
            _references.Add(key, reference);
        }

        return reference;
    }

    public void Write(string path)
    {
        var signature = new BlobBuilder();
        new BlobEncoder(signature).MethodSignature().Parameters(0, returned => returned.Void(), _ => { });
        var signatureHandle = _metadata.GetOrAddBlob(signature);
        var code = new BlobBuilder();
        var bodies = new MethodBodyStreamEncoder(code);

        // The dictionary names groups of methods, each with the assemblies it needs; here all is one group.
        var dictionary = new InstructionEncoder(new BlobBuilder());
        dictionary.LoadString(_metadata.GetOrAddUserString("System.Private.CoreLib;"));
        dictionary.OpCode(ILOpCode.Ldtoken);
        dictionary.Token(MetadataTokens.MethodDefinitionHandle(1));
        dictionary.OpCode(ILOpCode.Pop);
        dictionary.OpCode(ILOpCode.Ret);
        _methods.OpCode(ILOpCode.Ret);
        foreach (var (name, body) in new[] { ("Methods", _methods), ("AssemblyDictionary", dictionary) })
        {
            _metadata.AddMethodDefinition(
                MethodAttributes.Public | MethodAttributes.Static, MethodImplAttributes.IL, _metadata.GetOrAddString(name),
                signatureHandle, bodies.AddMethodBody(body), default);
        }

        _metadata.AddTypeDefinition(
            default, default, _metadata.GetOrAddString("<Module>"), default, MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));
        _metadata.AddModule(0, _metadata.GetOrAddString("startup.mibc"), _metadata.GetOrAddGuid(Identity.Guid), default, default);
        _metadata.AddAssembly(_metadata.GetOrAddString("startup"), new Version(1, 0, 0, 0), default, default, default, AssemblyHashAlgorithm.None);

        var image = new BlobBuilder();
        new ManagedPEBuilder(PEHeaderBuilder.CreateLibraryHeader(), new MetadataRootBuilder(_metadata), code, deterministicIdProvider: _ => Identity)
            .Serialize(image);
        using var file = File.Create(path);
        image.WriteContentTo(file);
    }
}
