using System.Buffers;
using System.Text;
using System.Text.Json;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class PlainJsonTests
{
    [Theory]
    [InlineData("Ада, Éléonore, 山田 it's <b>", "Ада, Éléonore, 山田 it's <b>")]
    [InlineData("a\u202Etxt.exe", "a\\u202Etxt.exe")]
    [InlineData("\u2066x\u2069", "\\u2066x\\u2069")]
    [InlineData("\"\\\n\u001b\u202A", "\\\"\\\\\\n\\u001B\\u202A")]
    public void Letters_stay_what_turns_them_does_not(string text, string written)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            json.WriteStartObject();
            json.WriteString("name", text);
            json.WriteString(text, Encoding.UTF8.GetBytes(text));
            json.WriteEndObject();
        }

        var all = Encoding.UTF8.GetString(buffer.WrittenSpan);
        Assert.Equal($$"""{"name":"{{written}}","{{written}}":"{{written}}"}""", all);
        Assert.Equal(text, JsonDocument.Parse(all).RootElement.GetProperty("name").GetString());
    }
}
