using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

internal static class Render
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic] private static ArrayBufferWriter<byte>? t_buffer;
    [ThreadStatic] private static Utf8JsonWriter? t_writer;

    public static byte[] Bytes(World world, IWritable value, Expansion? expansion = null) =>
        Bytes(writer => value.Write(new JsonOut(writer, world, expansion)));

    public static byte[] Bytes(Action<Utf8JsonWriter> write)
    {
        var buffer = t_buffer ??= new ArrayBufferWriter<byte>(16 * 1024);
        buffer.ResetWrittenCount();
        var writer = t_writer ??= new Utf8JsonWriter(buffer, Options);
        writer.Reset(buffer);
        write(writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
