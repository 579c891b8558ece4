using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Jobs;

/// <summary>One backup, as the manifest beside its dump tells of it.</summary>
internal sealed partial record Backup
{
    private const string Product = "backup-database";

    /// <summary>The database, the moment and the end of the run's id: no other ever has it, not even after a restore.</summary>
    public required string Name { get; init; }
    public required string Database { get; init; }

    /// <summary>The dump's own name.</summary>
    public required string File { get; init; }

    /// <summary>none, age or gpg.</summary>
    public required string Encryption { get; init; }
    public required Guid RunId { get; init; }

    /// <summary>The run's "now", by which backups are kept or not.</summary>
    public required DateTime TakenAt { get; init; }
    public required DateTime StartedAt { get; init; }
    public required DateTime FinishedAt { get; init; }
    public required string ServerVersion { get; init; }
    public required string PgDumpVersion { get; init; }
    public required string Version { get; init; }
    public required string Encoding { get; init; }
    public required string Collation { get; init; }
    public required string CharacterType { get; init; }
    public required long SizeBytes { get; init; }
    public required string Sha256 { get; init; }
    public required Facts Facts { get; init; }

    /// <summary>Null: it was not proven, or a later look found it damaged.</summary>
    public DateTime? VerifiedAt { get; init; }

    /// <summary>What exactly was proven.</summary>
    public string? Proof { get; init; }
    public double? RestoreSeconds { get; init; }

    /// <summary>Why it is no good.</summary>
    public string? Error { get; init; }

    public string Manifest => ManifestOf(Name);

    public static string ManifestOf(string name) => $"{name}.json";

    /// <summary>The dump's checksum, as `sha256sum -c` reads it.</summary>
    public static string ChecksumOf(string file) => $"{file}.sha256";

    public static string NameFor(string database, DateTime now, Guid run) => string.Create(
        CultureInfo.InvariantCulture, $"{Prefix(database)}{now:yyyyMMdd'T'HHmmss'Z'}-{run.ToString("N")[24..]}");

    /// <summary>What the names of a database's backups begin with.</summary>
    public static string Prefix(string database) => $"{NotInNames().Replace(database, "_")}-";

    /// <summary>Whether a file is, by its name, of a backup of this database: a dump, its checksum, or a manifest.</summary>
    /// <returns>The backup's name, or null.</returns>
    public static string? NameOf(string file, string database) =>
        file.StartsWith(Prefix(database), StringComparison.Ordinal) && Shape().Match(file[Prefix(database).Length..]) is { Success: true } match
            ? Prefix(database) + match.Groups["name"].Value : null;

    public byte[] ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("made_by", Product);
            json.WriteString("version", Version);
            json.WriteString("name", Name);
            json.WriteString("database", Database);
            json.WriteString("file", File);
            json.WriteString("format", "pg_dump custom");
            json.WriteString("encryption", Encryption);
            json.WriteNumber("size_bytes", SizeBytes);
            json.WriteString("sha256", Sha256);
            json.WriteString("run_id", RunId);
            json.WriteString("taken_at", TakenAt);
            json.WriteString("started_at", StartedAt);
            json.WriteString("finished_at", FinishedAt);
            json.WriteString("server_version", ServerVersion);
            json.WriteString("pg_dump_version", PgDumpVersion);
            json.WriteString("encoding", Encoding);
            json.WriteString("collation", Collation);
            json.WriteString("character_type", CharacterType);
            WriteProof(json);
            Write(json, "rows", Facts.Tables);
            Write(json, "promises_broken", Facts.Checks);
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private void WriteProof(Utf8JsonWriter json)
    {
        if (VerifiedAt is { } verified)
        {
            json.WriteString("verified_at", verified);
        }
        else
        {
            json.WriteNull("verified_at");
        }

        json.WriteString("proof", Proof);
        if (RestoreSeconds is { } seconds)
        {
            json.WriteNumber("restore_seconds", Math.Round(seconds, 3));
        }

        if (Error is not null)
        {
            json.WriteString("error", Error);
        }
    }

    private static void Write(Utf8JsonWriter json, string name, SortedDictionary<string, long> counts)
    {
        json.WriteStartObject(name);
        foreach (var (key, count) in counts)
        {
            json.WriteNumber(key, count);
        }

        json.WriteEndObject();
    }

    /// <returns>Null when this is no manifest of ours.</returns>
    public static Backup? FromJson(byte[] text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var json = document.RootElement;
            return json.GetProperty("made_by").GetString() != Product ? null : new Backup
            {
                Version = json.GetProperty("version").GetString()!,
                Name = json.GetProperty("name").GetString()!,
                Database = json.GetProperty("database").GetString()!,
                File = json.GetProperty("file").GetString()!,
                Encryption = json.GetProperty("encryption").GetString()!,
                SizeBytes = json.GetProperty("size_bytes").GetInt64(),
                Sha256 = json.GetProperty("sha256").GetString()!,
                RunId = json.GetProperty("run_id").GetGuid(),
                TakenAt = Instant(json.GetProperty("taken_at")),
                StartedAt = Instant(json.GetProperty("started_at")),
                FinishedAt = Instant(json.GetProperty("finished_at")),
                ServerVersion = json.GetProperty("server_version").GetString()!,
                PgDumpVersion = json.GetProperty("pg_dump_version").GetString()!,
                Encoding = json.GetProperty("encoding").GetString()!,
                Collation = json.GetProperty("collation").GetString()!,
                CharacterType = json.GetProperty("character_type").GetString()!,
                VerifiedAt = json.GetProperty("verified_at") is { ValueKind: JsonValueKind.String } verified ? Instant(verified) : null,
                Proof = json.GetProperty("proof").GetString(),
                RestoreSeconds = json.TryGetProperty("restore_seconds", out var seconds) ? seconds.GetDouble() : null,
                Error = json.TryGetProperty("error", out var error) ? error.GetString() : null,
                Facts = new Facts(Counts(json.GetProperty("rows")), Counts(json.GetProperty("promises_broken"))),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static DateTime Instant(JsonElement json) => json.GetDateTimeOffset().UtcDateTime;

    private static SortedDictionary<string, long> Counts(JsonElement json) =>
        new(json.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt64(), StringComparer.Ordinal), StringComparer.Ordinal);

    [GeneratedRegex("[^A-Za-z0-9_.-]", RegexOptions.None, 1000)]
    private static partial Regex NotInNames();

    [GeneratedRegex(@"^(?<name>[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})(\.json|\.dump(\.age|\.gpg)?(\.sha256)?)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Shape();
}
