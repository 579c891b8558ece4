using Dapper;
using Npgsql;

namespace Jobs.Database;

/// <summary>One transaction. Commands are Dapper's, bound to the transaction and its cancellation.</summary>
public sealed class Tx(NpgsqlConnection connection, NpgsqlTransaction transaction, bool readOnly, CancellationToken cancellation)
{
    /// <summary>True in a dry run: PostgreSQL itself refuses any write.</summary>
    public bool ReadOnly { get; } = readOnly;

    public CancellationToken Cancellation { get; } = cancellation;

    /// <returns>The number of rows written.</returns>
    public Task<int> ExecuteAsync(string sql, object? parameters = null) =>
        connection.ExecuteAsync(Command(sql, parameters));

    public async Task<List<T>> QueryAsync<T>(string sql, object? parameters = null) =>
        (await connection.QueryAsync<T>(Command(sql, parameters))).AsList();

    public Task<T> SingleAsync<T>(string sql, object? parameters = null) =>
        connection.QuerySingleAsync<T>(Command(sql, parameters));

    public Task<T?> SingleOrDefaultAsync<T>(string sql, object? parameters = null) =>
        connection.QuerySingleOrDefaultAsync<T?>(Command(sql, parameters));

    /// <summary>A bare command of the transaction.</summary>
    internal NpgsqlCommand Command(string sql) => new(sql, connection, transaction);

    private CommandDefinition Command(string sql, object? parameters) =>
        new(sql, parameters, transaction, cancellationToken: Cancellation);
}
