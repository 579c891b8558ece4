using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Dapper;

namespace Jobs.Database;

/// <summary>
/// Rows to objects by Dapper's rules of which column is which property or constructor parameter, but by reflection: the code that
/// Dapper itself makes for each kind of row is made at run time, which a program compiled ahead of time cannot do, and a program that
/// lives for a second never earns back.
/// </summary>
internal sealed class RowReader
{
    // One for all answers of the same shape: looking members up costs more than reading a row.
    private static readonly ConcurrentDictionary<(Type Type, string Columns), RowReader> Known = new();

    private readonly ConstructorInfo _constructor;
    // By column: the parameter's position, or the property; with the type that is wanted.
    private readonly (int Parameter, PropertyInfo? Property, Type Type)[] _columns;
    private readonly object?[] _defaults;

    public static RowReader For(Type type, DbDataReader reader)
    {
        var names = new string[reader.FieldCount];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = reader.GetName(i);
        }

        var shape = (type, string.Join(' ', names));
        return Known.TryGetValue(shape, out var known) ? known : Known.GetOrAdd(shape, new RowReader(type, names, reader));
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Rows are of types of ours, which are kept whole.")]
    [UnconditionalSuppressMessage("Trimming", "IL2067", Justification = "Rows are of types of ours, which are kept whole.")]
    private RowReader(Type type, string[] names, DbDataReader reader)
    {
        var map = new DefaultTypeMap(type);
        _constructor = type.GetConstructor(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance, [])
            ?? map.FindConstructor(names, [.. Enumerable.Range(0, reader.FieldCount).Select(column => reader.GetFieldType(column))])
            ?? throw new InvalidOperationException($"{type.Name} has no constructor for the columns {string.Join(", ", names)}");
        var parameters = _constructor.GetParameters();
        _defaults = new object?[parameters.Length];
        for (var i = 0; i < parameters.Length; i++)
        {
            _defaults[i] = Default(parameters[i].ParameterType);
        }

        _columns = [.. names.Select(name => parameters.Length == 0 ? PropertyFor(map, name) : ParameterFor(map, name))];
    }

    private static (int, PropertyInfo?, Type) PropertyFor(DefaultTypeMap map, string column) =>
        map.GetMember(column)?.Property is { } property ? (-1, property, Wanted(property.PropertyType)) : (-1, null, typeof(object));

    private (int, PropertyInfo?, Type) ParameterFor(DefaultTypeMap map, string column)
    {
        var parameter = map.GetConstructorParameter(_constructor, column).Parameter!;
        return (parameter.Position, null, Wanted(parameter.ParameterType));
    }

    private static Type Wanted(Type type) => Nullable.GetUnderlyingType(type) ?? type;

    [UnconditionalSuppressMessage("Trimming", "IL2067", Justification = "A value type's default needs no constructor.")]
    private static object? Default(Type type) =>
        !type.IsValueType || Nullable.GetUnderlyingType(type) is not null ? null : RuntimeHelpers.GetUninitializedObject(type);

    public object Read(DbDataReader reader)
    {
        var arguments = (object?[])_defaults.Clone();
        var row = arguments.Length == 0 ? _constructor.Invoke(null) : null;
        for (var i = 0; i < _columns.Length; i++)
        {
            var (parameter, property, type) = _columns[i];
            if ((parameter < 0 && property is null) || reader.IsDBNull(i))
            {
                continue;
            }

            var value = As(type, reader.GetValue(i));
            if (property is not null)
            {
                property.SetValue(row, value);
            }
            else
            {
                arguments[parameter] = value;
            }
        }

        return row ?? _constructor.Invoke(arguments);
    }

    private static object As(Type type, object value) =>
        type.IsInstanceOfType(value) ? value
        : type.IsEnum ? Enum.Parse(type, (string)value, ignoreCase: true)
        : Convert.ChangeType(IsWhole(type) ? Truncated(value) : value, type, CultureInfo.InvariantCulture);

    private static bool IsWhole(Type type) => Type.GetTypeCode(type) is >= TypeCode.SByte and <= TypeCode.UInt64;

    // As Dapper does it; a conversion would round.
    private static object Truncated(object value) => value switch
    {
        decimal number => decimal.Truncate(number),
        double number => Math.Truncate(number),
        _ => value,
    };
}
