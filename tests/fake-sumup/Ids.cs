using System.Security.Cryptography;

namespace Jobs.Testing.FakeSumUp;

internal static class Ids
{
    private const string Base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    public static string Reader() => "rdr_" + RandomNumberGenerator.GetString(Base32, 26);

    public static string Merchant() => "M" + RandomNumberGenerator.GetString(Base32, 7);

    public static string Key() => "sup_sk_" + RandomNumberGenerator.GetHexString(32, lowercase: true);

    public static string TransactionCode() => "T" + RandomNumberGenerator.GetString(Base32, 9);

    public static string PairingCode() => RandomNumberGenerator.GetString(Base32, 9);

    public static string Uuid() => Guid.NewGuid().ToString();
}
