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
    private static readonly ConcurrentDictionary<Type, Dictionary<string, PropertyInfo>> Properties = new();

    /// <param name="values">May have more properties than the statement has parameters; null for none.</param>
    public static NpgsqlBatchCommand Bind(Statement statement, object? values)
    {
        var command = new NpgsqlBatchCommand(statement.Sql);
        foreach (var name in statement.Names)
        {
            var property = values is null ? null : Properties.GetOrAdd(values.GetType(), PropertiesOf).GetValueOrDefault(name);
            if (property is null)
            {
                throw new InvalidOperationException($"nothing was given for @{name} of: {statement.Sql}");
            }

            command.Parameters.Add(Of(property, property.GetValue(values)));
        }

        return command;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "These objects are of types of ours, which are kept whole.")]
    private static Dictionary<string, PropertyInfo> PropertiesOf(Type type) =>
        type.GetProperties().ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);

    private static NpgsqlParameter Of(PropertyInfo property, object? value)
    {
        var parameter = new NpgsqlParameter { Value = value ?? DBNull.Value };
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
