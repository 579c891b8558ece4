using System.Buffers.Binary;
using System.Text;

namespace Jobs.Tests.Rig;

/// <summary>One message of PostgreSQL's protocol, as its bytes; a start-up packet has no type (0).</summary>
internal readonly record struct PostgresMessage(char Type, byte[] Bytes)
{
    /// <summary>Follows the type and the length.</summary>
    private ReadOnlySpan<byte> Body => Bytes.AsSpan(Type == 0 ? 4 : 5);

    /// <summary>The code at the head of a start-up packet: a protocol version, or a request for TLS, GSS or cancellation.</summary>
    public int StartupCode => BinaryPrimitives.ReadInt32BigEndian(Body);

    /// <summary>The zero-terminated texts at the head of the body: a Parse's are the statement's name and its SQL.</summary>
    public string Text(int index)
    {
        var rest = Body;
        for (; ; index--)
        {
            var end = rest.IndexOf((byte)0);
            if (end < 0)
                return "";
            if (index == 0)
                return Encoding.UTF8.GetString(rest[..end]);
            rest = rest[(end + 1)..];
        }
    }

    /// <summary>
    /// A statement that fails with this error, so that the server's transaction is in the state which the client is told of; with
    /// <paramref name="rollBack"/> after the end of the transaction, as when a COMMIT fails.
    /// </summary>
    public static byte[] FailingQuery(string sqlState, bool rollBack) =>
        Make('Q', $"{(rollBack ? "ROLLBACK; " : "")}DO $do$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlState}', MESSAGE = 'made by a test'; END $do$\0");

    /// <summary>The last word of a server that hangs up.</summary>
    public static byte[] Fatal(string sqlState) => Make('E', $"SFATAL\0VFATAL\0C{sqlState}\0Mmade by a test\0\0");

    private static byte[] Make(char type, string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        var bytes = new byte[5 + body.Length];
        bytes[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), 4 + body.Length);
        body.CopyTo(bytes, 5);
        return bytes;
    }
}

/// <summary>Cuts a stream into messages, wherever the network cut it.</summary>
internal sealed class PostgresMessages(BufferedStream buffered)
{
    /// <summary>Null at the end of the stream.</summary>
    public async Task<PostgresMessage?> ReadAsync(bool startup = false)
    {
        var head = new byte[startup ? 4 : 5];
        if (await buffered.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false) < head.Length)
            return null;
        var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(head.Length - 4));
        if (length < (startup ? 8 : 4) || (startup && length > 10_000))
            throw new IOException("That is not PostgreSQL's protocol, version 3.");
        var bytes = new byte[head.Length - 4 + length];
        head.CopyTo(bytes, 0);
        var rest = bytes.AsMemory(head.Length);
        return await buffered.ReadAtLeastAsync(rest, rest.Length, throwOnEndOfStream: false) < rest.Length
            ? null
            : new PostgresMessage(startup ? '\0' : (char)head[0], bytes);
    }
}
