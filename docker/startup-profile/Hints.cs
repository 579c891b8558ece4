using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Jobs.StartUpProfile;

/// <summary>
/// What every await passes through, once for each kind of task and awaiter, bears a mark: compile at run time, at once and
/// with all optimizations. That is meant for code that would otherwise run unoptimized at first; here it is compiled
/// ahead, optimized, so without the mark the same code need not be compiled at every start.
/// </summary>
internal static class Hints
{
    // A row of the table of methods: its address, 4 bytes, then these flags.
    private const int OffsetOfFlags = 4;

    /// <returns>How many marks were taken off; 0 when it was done before.</returns>
    public static int Remove(string coreLibrary)
    {
        var bytes = File.ReadAllBytes(coreLibrary);
        using var image = new PEReader(new MemoryStream(bytes));
        var reader = image.GetMetadataReader();
        var table = image.PEHeaders.MetadataStartOffset + reader.GetTableMetadataOffset(TableIndex.MethodDef) + OffsetOfFlags;
        var marked = reader.MethodDefinitions.Where(handle => IsMarked(reader, reader.GetMethodDefinition(handle))).ToList();
        foreach (var handle in marked)
        {
            var at = table + ((MetadataTokens.GetRowNumber(handle) - 1) * reader.GetTableRowSize(TableIndex.MethodDef));
            bytes[at + 1] &= unchecked((byte)~((int)MethodImplAttributes.AggressiveOptimization >> 8));
        }

        File.WriteAllBytes(coreLibrary, bytes);
        return marked.Count;
    }

    private static bool IsMarked(MetadataReader reader, MethodDefinition method) =>
        method.ImplAttributes.HasFlag(MethodImplAttributes.AggressiveOptimization)
        && reader.StringComparer.Equals(method.Name, "AwaitUnsafeOnCompleted");
}
