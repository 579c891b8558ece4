using Npgsql;

namespace Jobs.Database;

/// <summary>
/// One transaction, its commands bound to it and its cancellation. A round trip costs both sides more
/// than most statements do, so what need not wait for an answer travels with what does.
/// </summary>
/// <param name="connection">The connection of this transaction.</param>
/// <param name="transaction">The transaction.</param>
/// <param name="settings">Statements that travel with the first one.</param>
/// <param name="readOnly">Whether PostgreSQL refuses any write.</param>
/// <param name="repetition">Whether the transaction was tried before.</param>
/// <param name="cancellation">Of every command.</param>
public sealed class Tx(NpgsqlConnection connection, NpgsqlTransaction transaction, string settings, bool readOnly, bool repetition, CancellationToken cancellation)
{
    private string _settings = settings;

    /// <summary>True in a dry run: PostgreSQL itself refuses any write.</summary>
    public bool ReadOnly { get; } = readOnly;

    /// <summary>Ends a SELECT whose rows are about to change; a dry run only looks, and PostgreSQL refuses it locks as well.</summary>
    public string RowLock => ReadOnly ? "" : "FOR NO KEY UPDATE";

    public CancellationToken Cancellation { get; } = cancellation;

    /// <summary>Tried before: an earlier COMMIT whose answer was lost may have gone through.</summary>
    public bool IsRepetition { get; } = repetition;

    /// <summary>The COMMIT went out with the last statement.</summary>
    internal bool Committed { get; private set; }

    /// <returns>The number of rows written.</returns>
    public Task<int> ExecuteAsync(string sql, object? parameters = null) => WriteAsync(sql, parameters, isLast: false);

    public Task<List<T>> QueryAsync<T>(string sql, object? parameters = null) => ReadAsync<T>(sql, parameters, isLast: false);

    public async Task<T> SingleAsync<T>(string sql, object? parameters = null) =>
        (await QueryAsync<T>(sql, parameters)).Single();

    public async Task<T?> SingleOrDefaultAsync<T>(string sql, object? parameters = null) =>
        (await QueryAsync<T>(sql, parameters)).SingleOrDefault();

    /// <summary>
    /// Several statements in one round trip, their answers in order. Each takes a snapshot of its own: what follows a lock
    /// shows what its previous holder wrote.
    /// </summary>
    public Task<Answers> QueryMultipleAsync(string sql, object? parameters = null) => AnswersAsync(sql, parameters, isLast: false);

    /// <summary>The transaction's last statements: the COMMIT travels with them, and has gone through when every answer was read.</summary>
    /// <inheritdoc cref="SingleAndCommitAsync{T}(string, object?)" path="/remarks"/>
    public Task<Answers> QueryMultipleAndCommitAsync(string sql, object? parameters = null) => AnswersAsync(sql, parameters, isLast: true);

    private async Task<Answers> AnswersAsync(string sql, object? parameters, bool isLast)
    {
        var batch = Batch(sql, parameters, isLast);
        try
        {
            return new Answers(batch, await batch.ExecuteReaderAsync(Cancellation), Cancellation);
        }
        catch
        {
            await batch.DisposeAsync();
            throw;
        }
    }

    /// <summary>The transaction's last statement: the COMMIT travels with it.</summary>
    /// <remarks>It commits whatever the statement returns: a statement that may find nothing to do must be all or nothing.</remarks>
    public async Task<T> SingleAndCommitAsync<T>(string sql, object? parameters = null) =>
        (await ReadAsync<T>(sql, parameters, isLast: true)).Single();

    /// <inheritdoc cref="SingleAndCommitAsync{T}(string, object?)"/>
    /// <returns>The number of rows written.</returns>
    public Task<int> ExecuteAndCommitAsync(string sql, object? parameters = null) => WriteAsync(sql, parameters, isLast: true);

    private async Task<int> WriteAsync(string sql, object? parameters, bool isLast)
    {
        await using var batch = Batch(sql, parameters, isLast);
        return await batch.ExecuteNonQueryAsync(Cancellation);
    }

    private async Task<List<T>> ReadAsync<T>(string sql, object? parameters, bool isLast)
    {
        await using var batch = Batch(sql, parameters, isLast);
        await using var reader = await batch.ExecuteReaderAsync(Cancellation);
        var rows = await Answers.RowsAsync<T>(reader, Cancellation);
        // What the statements after it said, the COMMIT among them.
        while (await reader.NextResultAsync(Cancellation))
        {
        }

        return rows;
    }

    private NpgsqlBatch Batch(string sql, object? parameters, bool isLast)
    {
        var batch = new NpgsqlBatch(connection, transaction);
        Add(Settings(isLast), null);
        Add(sql, parameters);
        if (isLast)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        }

        return batch;

        void Add(string text, object? values)
        {
            foreach (var statement in Statement.AllOf(text))
            {
                batch.BatchCommands.Add(Parameters.Bind(statement, values));
            }
        }
    }

    /// <summary>What goes before the next command: the transaction's settings before the first.</summary>
    private string Settings(bool isLast)
    {
        if (Committed)
        {
            throw new InvalidOperationException("the transaction's last statement went out already");
        }

        Committed = isLast;
        (var before, _settings) = (_settings, "");
        return before;
    }
}
