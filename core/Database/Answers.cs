using System.Data.Common;
using System.Globalization;
using Dapper;

namespace Jobs.Database;

/// <summary>What statements that travelled together answered, read in their order.</summary>
/// <remarks>
/// Rows are buffered whole before they are mapped. Dapper's own queries ask for sequential access, whereby a row that has not
/// arrived yet is waited for by blocking the thread, a column at a time.
/// </remarks>
public sealed class Answers : IAsyncDisposable
{
    private readonly DbDataReader _owner;
    private readonly DbDataReader _reader;
    private readonly CancellationToken _cancellation;

    internal Answers(DbDataReader reader, CancellationToken cancellation)
    {
        (_owner, _cancellation) = (reader, cancellation);
        // Dapper hands out a wrapper that ends the command too.
        _reader = reader is IWrappedDataReader { Reader: DbDataReader inner } ? inner : reader;
    }

    /// <summary>The next answer, all of it.</summary>
    public async Task<List<T>> ReadAsync<T>()
    {
        var rows = new List<T>();
        if (_reader.FieldCount > 0)
        {
            var isScalar = Type.GetTypeCode(Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T)) != TypeCode.Object;
            Func<DbDataReader, T> parse = isScalar ? Scalar<T> : _reader.GetRowParser<T>();
            while (await _reader.ReadAsync(_cancellation))
            {
                rows.Add(parse(_reader));
            }
        }

        await _reader.NextResultAsync(_cancellation);
        return rows;
    }

    /// <exception cref="InvalidOperationException">It is not exactly one row.</exception>
    public async Task<T> ReadSingleAsync<T>()
    {
        var rows = await ReadAsync<T>();
        return rows.Count == 1 ? rows[0] : throw NotOne(rows.Count);
    }

    /// <returns>The default when there is none.</returns>
    /// <exception cref="InvalidOperationException">It is more than one row.</exception>
    public async Task<T?> ReadSingleOrDefaultAsync<T>()
    {
        var rows = await ReadAsync<T>();
        return rows.Count switch { 0 => default, 1 => rows[0], _ => throw NotOne(rows.Count) };
    }

    /// <summary>Passes over what is left: a statement that failed, the COMMIT too, says so only when its turn comes.</summary>
    public async Task EndAsync()
    {
        while (await _reader.NextResultAsync(_cancellation))
        {
        }
    }

    public ValueTask DisposeAsync() => _owner.DisposeAsync();

    /// <summary>As Dapper does it: an int of the database fits a long.</summary>
    private static T Scalar<T>(DbDataReader reader) => reader.GetValue(0) switch
    {
        T value => value,
        DBNull when default(T) is null => default!,
        DBNull => throw new InvalidOperationException("NULL where a value was asked for"),
        var value => (T)Convert.ChangeType(value, Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T), CultureInfo.InvariantCulture),
    };

    private static InvalidOperationException NotOne(int rows) => new($"{rows} rows where one was asked for");
}
