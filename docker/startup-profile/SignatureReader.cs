using System.Collections.Immutable;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace Jobs.StartUpProfile;

internal delegate void WriteType(SignatureTypeEncoder encoder);

/// <summary>A type in a method's signature, and how to write it again into another assembly.</summary>
internal sealed record SignatureType(WriteType Write, bool IsVoid = false, bool IsByReference = false)
{
    /// <summary>Such as the one that marks a parameter as <c>in</c>.</summary>
    public ImmutableArray<(string Type, bool Required)> Modifiers { get; init; } = [];

    /// <summary>Of a named type.</summary>
    public (string Name, bool IsValueType) Named { get; init; }
}

/// <summary>Reads signatures of one assembly so that they can be written into another.</summary>
internal sealed class SignatureReader(Func<string, EntityHandle> reference) : ISignatureTypeProvider<SignatureType, object?>
{
    private const byte ValueType = 0x11;

    public static string Name(MetadataReader reader, EntityHandle type) => type.Kind switch
    {
        HandleKind.TypeDefinition => Name(reader, reader.GetTypeDefinition((TypeDefinitionHandle)type)),
        HandleKind.TypeReference => Name(reader, reader.GetTypeReference((TypeReferenceHandle)type)),
        _ => "",
    };

    public static string Name(MetadataReader reader, TypeDefinition type) =>
        type.IsNested
            ? $"{Name(reader, type.GetDeclaringType())}+{reader.GetString(type.Name)}"
            : Name(reader, type.Namespace, type.Name);

    private static string Name(MetadataReader reader, TypeReference type) =>
        type.ResolutionScope.Kind == HandleKind.TypeReference
            ? $"{Name(reader, type.ResolutionScope)}+{reader.GetString(type.Name)}"
            : Name(reader, type.Namespace, type.Name);

    private static string Name(MetadataReader reader, StringHandle space, StringHandle name) =>
        space.IsNil ? reader.GetString(name) : $"{reader.GetString(space)}.{reader.GetString(name)}";

    public SignatureType GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode switch
    {
        PrimitiveTypeCode.Void => new(_ => { }, IsVoid: true),
        PrimitiveTypeCode.String => new(e => e.String()),
        PrimitiveTypeCode.Object => new(e => e.Object()),
        _ => new(e => e.PrimitiveType(typeCode)),
    };

    private SignatureType GetNamed(string name, bool isValueType) =>
        new(e => e.Type(reference(name), isValueType)) { Named = (name, isValueType) };

    public SignatureType GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) =>
        GetNamed(Name(reader, handle), rawTypeKind == ValueType);

    public SignatureType GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) =>
        GetNamed(Name(reader, handle), rawTypeKind == ValueType);

    public SignatureType GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

    public SignatureType GetSZArrayType(SignatureType elementType) => new(e => elementType.Write(e.SZArray()));

    public SignatureType GetArrayType(SignatureType elementType, ArrayShape shape) =>
        new(e => e.Array(element => elementType.Write(element), written => written.Shape(shape.Rank, shape.Sizes, shape.LowerBounds)));

    public SignatureType GetByReferenceType(SignatureType elementType) => elementType with { IsByReference = true };

    public SignatureType GetPointerType(SignatureType elementType) =>
        elementType.IsVoid ? new(e => e.VoidPointer()) : new(e => elementType.Write(e.Pointer()));

    public SignatureType GetFunctionPointerType(MethodSignature<SignatureType> signature) =>
        new(_ => throw new NotSupportedException("a pointer to a function"));

    public SignatureType GetGenericInstantiation(SignatureType genericType, ImmutableArray<SignatureType> typeArguments) =>
        new(e =>
        {
            var arguments = e.GenericInstantiation(reference(genericType.Named.Name), typeArguments.Length, genericType.Named.IsValueType);
            foreach (var argument in typeArguments)
            {
                argument.Write(arguments.AddArgument());
            }
        });

    public SignatureType GetGenericMethodParameter(object? genericContext, int index) => new(e => e.GenericMethodTypeParameter(index));

    public SignatureType GetGenericTypeParameter(object? genericContext, int index) => new(e => e.GenericTypeParameter(index));

    public SignatureType GetModifiedType(SignatureType modifier, SignatureType unmodifiedType, bool isRequired) =>
        unmodifiedType with { Modifiers = [.. unmodifiedType.Modifiers, (modifier.Named.Name, isRequired)] };

    public SignatureType GetPinnedType(SignatureType elementType) => elementType;
}
