using Jobs.Runs;

namespace Jobs;

/// <summary>A standard tool that encrypts the dump on its way, and what decrypts it if that is at hand.</summary>
/// <param name="Name">age or gpg; also the end of the file's name.</param>
/// <param name="Decrypting">Null: the key that decrypts is not here, as it need not be.</param>
internal sealed record Cipher(string Name, string[] Encrypting, string[]? Decrypting)
{
    /// <summary>As BACKUP_AGE_RECIPIENT or BACKUP_GPG_RECIPIENT asks for; null: not at all.</summary>
    public static async Task<Cipher?> ForNewAsync(Settings settings, CancellationToken cancellation)
    {
        var (age, gpg) = (settings.Optional("BACKUP_AGE_RECIPIENT"), settings.Optional("BACKUP_GPG_RECIPIENT"));
        if (age is not null && gpg is not null)
        {
            throw new OperatorException("both BACKUP_AGE_RECIPIENT and BACKUP_GPG_RECIPIENT are set; keep one of them");
        }

        if (age is not null)
        {
            string[] recipients = [.. age.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries).SelectMany(r => new[] { "--recipient", r })];
            return new Cipher("age", ["--encrypt", .. recipients], DecryptingAge(settings));
        }

        return gpg is null ? null : new Cipher(
            "gpg", [.. Gpg, "--trust-model", "always", "--compress-algo", "none", "--encrypt", "--recipient", gpg],
            await HasSecretKeyAsync(gpg, cancellation) ? DecryptingGpg : null);
    }

    /// <summary>For a backup that was made before; null: it is not encrypted.</summary>
    public static Cipher? Of(Backup backup, Settings settings) => backup.Encryption switch
    {
        "none" => null,
        "age" => new Cipher("age", [], DecryptingAge(settings)),
        "gpg" => new Cipher("gpg", [], DecryptingGpg),
        var other => throw new OperatorException($"{backup.Name} is encrypted with '{other}', which this version does not know"),
    };

    private static readonly string[] Gpg = ["--batch", "--quiet", "--no-tty"];
    private static readonly string[] DecryptingGpg = [.. Gpg, "--decrypt"];

    private static string[]? DecryptingAge(Settings settings)
    {
        var identity = settings.Optional("BACKUP_AGE_IDENTITY_FILE");
        return identity is null ? null
            : File.Exists(identity) ? ["--decrypt", "--identity", identity]
            : throw new OperatorException($"BACKUP_AGE_IDENTITY_FILE names the file '{identity}', which is not there");
    }

    private static async Task<bool> HasSecretKeyAsync(string recipient, CancellationToken cancellation)
    {
        await using var gpg = Child.Start("gpg", [.. Gpg, "--list-secret-keys", recipient]);
        gpg.CloseInput();
        await Child.CopyAsync(gpg.Stdout, _ => Task.CompletedTask, cancellation);
        return await gpg.ExitAsync(cancellation) == 0;
    }

    public Child Encrypt() => Child.Start(Name, Encrypting);

    /// <exception cref="OperatorException">The key is not here.</exception>
    public Child Decrypt() => Child.Start(Name, Decrypting
        ?? throw new OperatorException("the backup is encrypted with age; set BACKUP_AGE_IDENTITY_FILE to the file with the identity that decrypts it"));
}
