using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Npgsql;
using NpgsqlTypes;

namespace Jobs.Database;

/// <summary>
/// A statement's parameters from an object's properties of the same names. By reflection: Dapper makes code for each kind of object at
/// run time, which a program compiled ahead of time cannot do.
/// </summary>
internal static class Parameters
{
    private static readonly ConcurrentDictionary<Type, PropertyInfo[]> Properties = new();

    public static void Bind(NpgsqlCommand command, object values)
    {
        foreach (var property in Properties.GetOrAdd(values.GetType(), PropertiesOf))
        {
            // An entity may have more properties than the statement has parameters.
            if (IsNamed(command.CommandText, property.Name))
            {
                command.Parameters.Add(Of(property, property.GetValue(values)));
            }
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "These objects are of types of ours, which are kept whole.")]
    private static PropertyInfo[] PropertiesOf(Type type) => type.GetProperties();

    private static bool IsNamed(string sql, string name)
    {
        for (var at = sql.IndexOf('@', StringComparison.Ordinal); at >= 0; at = sql.IndexOf('@', at + 1))
        {
            var end = at + 1 + name.Length;
            if (string.Compare(sql, at + 1, name, 0, name.Length, StringComparison.OrdinalIgnoreCase) == 0
                && (end == sql.Length || !(char.IsLetterOrDigit(sql[end]) || sql[end] == '_')))
            {
                return true;
            }
        }

        return false;
    }

    private static NpgsqlParameter Of(PropertyInfo property, object? value)
    {
        var parameter = new NpgsqlParameter { ParameterName = property.Name, Value = value ?? DBNull.Value };
        if (value is null && TypeOfNull(property.PropertyType) is { } type)
        {
            parameter.NpgsqlDbType = type;
        }

        return parameter;
    }

    /// <summary>A value tells its type by itself. Instants and arrays: what the statement makes of them.</summary>
    private static NpgsqlDbType? TypeOfNull(Type type) =>
        type == typeof(string) ? NpgsqlDbType.Text
        : type == typeof(long?) ? NpgsqlDbType.Bigint
        : type == typeof(int?) ? NpgsqlDbType.Integer
        : type == typeof(bool?) ? NpgsqlDbType.Boolean
        : type == typeof(Guid?) ? NpgsqlDbType.Uuid
        : null;
}
