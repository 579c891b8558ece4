using Npgsql;

namespace Jobs.Database;

public static class DatabaseUrl
{
    public static NpgsqlConnectionStringBuilder Parse(string value) => new(value);
}
