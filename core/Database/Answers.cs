using System.Data.Common;
using Npgsql;

namespace Jobs.Database;

/// <summary>The answers to several statements, each read once and in their order.</summary>
public sealed class Answers : IAsyncDisposable
{
    private readonly NpgsqlBatch _batch;
    private readonly NpgsqlDataReader _reader;
    private readonly CancellationToken _cancellation;

    internal Answers(NpgsqlBatch batch, NpgsqlDataReader reader, CancellationToken cancellation) =>
        (_batch, _reader, _cancellation) = (batch, reader, cancellation);

    public async Task<List<T>> ReadAsync<T>()
    {
        var rows = await RowsAsync<T>(_reader, _cancellation);
        await _reader.NextResultAsync(_cancellation);
        return rows;
    }

    public async Task<T> ReadSingleAsync<T>() => (await ReadAsync<T>()).Single();

    public async Task<T?> ReadSingleOrDefaultAsync<T>() => (await ReadAsync<T>()).SingleOrDefault();

    /// <summary>
    /// The rows of the current answer: a class's properties by the columns' names, or one value each. A row is here whole before it
    /// is read: reading it never blocks a thread.
    /// </summary>
    internal static async Task<List<T>> RowsAsync<T>(NpgsqlDataReader reader, CancellationToken cancellation)
    {
        var rows = new List<T>();
        RowReader? row = null;
        while (await reader.ReadAsync(cancellation))
        {
            rows.Add(IsValue(typeof(T)) ? Value<T>(reader) : (T)(row ??= RowReader.For(typeof(T), reader)).Read(reader));
        }

        return rows;
    }

    private static T Value<T>(DbDataReader reader) => reader.IsDBNull(0) ? default! : reader.GetFieldValue<T>(0);

    private static bool IsValue(Type type) =>
        type.IsValueType && type.Namespace == nameof(System) || type == typeof(string);

    public async ValueTask DisposeAsync()
    {
        await _reader.DisposeAsync();
        await _batch.DisposeAsync();
    }
}
