using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Jobs.Tests.Rendering;

/// <summary>
/// Reads YAML as an API server with strict field validation does: an unknown, missing or repeated field is an error, and so is a
/// text where a number belongs, or a number where a text does.
/// </summary>
internal static partial class StrictYaml
{
    public static T Read<T>(string text, INamingConvention? names = null)
    {
        var parser = new MergingParser(new Parser(new StringReader(text)));
        return new DeserializerBuilder()
            .WithNamingConvention(names ?? CamelCaseNamingConvention.Instance)
            .WithEnforceRequiredMembers()
            .WithDuplicateKeyChecking()
            .WithNodeDeserializer(new Scalars(), where => where.OnTop())
            .Build()
            .Deserialize<T>(parser);
    }

    /// <summary>The documents of a file.</summary>
    public static IEnumerable<string> Documents(string text) => Separator().Split(text).Where(part => part.Trim().Length > 0);

    private sealed class Scalars : INodeDeserializer
    {
        public bool Deserialize(
            IParser reader, Type expectedType, Func<IParser, Type, object?> nestedObjectDeserializer, out object? value, ObjectDeserializer rootDeserializer)
        {
            value = null;
            if (reader.Current is Scalar scalar)
            {
                var plain = scalar.Style == ScalarStyle.Plain;
                if (expectedType == typeof(string) && plain && NotText().IsMatch(scalar.Value))
                {
                    throw new YamlException(scalar.Start, scalar.End, $"'{scalar.Value}' is not a text; quote it");
                }

                if ((Nullable.GetUnderlyingType(expectedType) ?? expectedType) is { IsPrimitive: true } && !plain)
                {
                    throw new YamlException(scalar.Start, scalar.End, $"'{scalar.Value}' is a text");
                }
            }

            return false;
        }
    }

    [GeneratedRegex(@"^---\s*$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Separator();

    // As YAML 1.1 has it, which Kubernetes reads.
    [GeneratedRegex(@"^(|~|null|true|false|yes|no|on|off|y|n|[-+]?[0-9][0-9_]*|[-+]?([0-9][0-9_]*)?\.[0-9]+([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NotText();
}
