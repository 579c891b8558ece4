using Jobs.Database;

namespace Jobs;

/// <summary>
/// Which scripts were applied: DbUp's PostgreSQL journal to the letter, so that DbUp itself can take over, and beside it the
/// checksums that DbUp lacks.
/// </summary>
public sealed class Journal
{
    private const string Create =
        """
        CREATE TABLE IF NOT EXISTS schemaversions (
            schemaversionsid serial NOT NULL,
            scriptname character varying(255) NOT NULL,
            applied timestamp without time zone NOT NULL,
            CONSTRAINT "PK_schemaversions_Id" PRIMARY KEY (schemaversionsid)
        );
        CREATE TABLE IF NOT EXISTS schemaversions_checksums (
            scriptname character varying(255) PRIMARY KEY,
            sha256 text NOT NULL
        );
        """;

    private const string Exists = "SELECT to_regclass('schemaversions') IS NOT NULL";
    private const string HasChecksums = "SELECT to_regclass('schemaversions_checksums') IS NOT NULL";

    private const string Read =
        """
        SELECT v.scriptname AS name, min(v.applied) AS applied, min(c.sha256) AS sha256
        FROM schemaversions AS v
        LEFT JOIN schemaversions_checksums AS c ON c.scriptname = v.scriptname
        GROUP BY v.scriptname
        ORDER BY v.scriptname
        """;

    private const string ReadOfDbUp =
        "SELECT scriptname AS name, min(applied) AS applied, NULL AS sha256 FROM schemaversions GROUP BY scriptname ORDER BY scriptname";

    private const string Add =
        """
        WITH applied AS (
            INSERT INTO schemaversions (scriptname, applied) VALUES (@Name, clock_timestamp() AT TIME ZONE 'UTC')
        )
        INSERT INTO schemaversions_checksums (scriptname, sha256) VALUES (@Name, @Sha256)
        ON CONFLICT (scriptname) DO UPDATE SET sha256 = excluded.sha256
        """;

    public sealed class Entry
    {
        public string Name { get; init; } = "";
        public DateTime Applied { get; init; }

        /// <summary>Null when DbUp applied it.</summary>
        public string? Sha256 { get; init; }
    }

    /// <summary>One runner at a time, until the transaction ends; works behind PgBouncer, unlike a session's lock.</summary>
    public static Task LockAsync(Tx tx) => tx.ExecuteAsync("SELECT pg_advisory_xact_lock(hashtext('jobs schemaversions'))");

    public static Task CreateAsync(Tx tx) => tx.ExecuteAsync(Create);

    public static async Task<IReadOnlyList<Entry>> ReadAsync(Tx tx) =>
        !await tx.SingleAsync<bool>(Exists) ? []
        : await tx.QueryAsync<Entry>(await tx.SingleAsync<bool>(HasChecksums) ? Read : ReadOfDbUp);

    public static Task AddAsync(Tx tx, Script script) => tx.ExecuteAsync(Add, new { script.Name, script.Sha256 });
}
