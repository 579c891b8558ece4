using System.Text.Json;
using Npgsql;

namespace Jobs.Demo;

/// <summary>The demo's own look at the database, as its owner; the jobs have a login with fewer rights.</summary>
internal sealed class Database(NpgsqlDataSource source) : IAsyncDisposable
{
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public async Task InsertAsync<T>(string table, IReadOnlyCollection<T> rows)
    {
        var columns = string.Join(", ", typeof(T).GetProperties().Select(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name)));
        await ExecuteAsync(
            $"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, $1::json)",
            JsonSerializer.Serialize(rows, SnakeCase));
    }

    public async Task ExecuteAsync(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Two columns, a name and a number.</summary>
    public async Task<IReadOnlyDictionary<string, long>> NumbersAsync(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        await using var reader = await command.ExecuteReaderAsync();
        var numbers = new Dictionary<string, long>(StringComparer.Ordinal);
        while (await reader.ReadAsync())
            numbers[reader.GetString(0)] = reader.GetInt64(1);
        return numbers;
    }

    private static readonly string[] BusinessTables =
    [
        "users", "plans", "subscriptions", "memberships", "orders", "products", "stock_reservations", "payments", "payment_refunds", "receipts",
        "receipt_counters", "notifications", "sessions", "daily_stats", "audit_log_archive", "blocked_payment_methods", "unmatched_payments", "audit_logs",
        "payment_queue", "terminal_attempts", "settings",
    ];

    /// <summary>
    /// One fingerprint per business table, of every column of every row. Left out is only next_check_at: when a payment that
    /// is still open at the provider will be asked about again.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, string>> FingerprintsAsync()
    {
        var prints = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var table in BusinessTables)
        {
            prints[table] = await ScalarAsync<string>(
                $"SELECT count(*) || ':' || coalesce(md5(string_agg(md5((to_jsonb(t) - 'next_check_at')::text), '' ORDER BY to_jsonb(t)::text)), '') FROM {table} AS t");
        }

        return prints;
    }

    private NpgsqlCommand Command(string sql, object[] parameters)
    {
        var command = source.CreateCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        return command;
    }

    public ValueTask DisposeAsync() => source.DisposeAsync();
}
