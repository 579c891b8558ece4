using System.Text;
using System.Text.Json.Nodes;

namespace Jobs.Tests.Proof.Hostile;

/// <summary>What becomes of an answer of Stripe's.</summary>
/// <param name="Name">For the failure message.</param>
/// <param name="Believable">It can be read, and says something else: the books may end otherwise, but nobody pays twice and no money is lost.</param>
internal sealed record Distortion(string Name, bool Believable, Func<byte[], Random, byte[]> Apply)
{
    public static readonly Distortion[] All =
    [
        Raw("a page of HTML", (_, _) => "<html><body><h1>502 Bad Gateway</h1></body></html>"u8.ToArray()),
        Raw("nothing", (_, _) => []),
        Raw("null", (_, _) => "null"u8.ToArray()),
        Raw("an empty object", (_, _) => "{}"u8.ToArray()),
        Raw("an array", (body, _) => [.. "["u8, .. body, .. "]"u8]),
        Raw("cut off", (body, random) => body[..random.Next(body.Length)]),
        Raw("5,000 deep", (_, _) => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"id\":", 5000)) + "1" + new string('}', 5000))),
        Raw("5,000 deep in an unknown member", (body, _) =>
            [.. "{\"depth\":"u8, .. Encoding.UTF8.GetBytes(new string('[', 5000) + new string(']', 5000)), (byte)',', .. body.AsSpan(body.AsSpan().IndexOf((byte)'{') + 1)]),
        Raw("more members", (body, _) =>
            [.. "{\"новое\":{\"a\":[1,2,{\"b\":null}]},\"__proto__\":{},\"\":1e400,"u8, .. body.AsSpan(body.AsSpan().IndexOf((byte)'{') + 1)]),
        Raw("the same members twice", (body, _) => Twice(body)),
        Raw("bytes that are no UTF-8", NoUtf8),
        Member("removed", (member, _) => Remove(member)),
        Member("null", (member, _) => member.ReplaceWith<JsonNode?>(null)),
        Member("an object", (member, _) => member.ReplaceWith(new JsonObject { ["id"] = 1 })),
        Member("an array", (member, _) => member.ReplaceWith(new JsonArray(1, "two"))),
        Member("a number as text", (member, _) => member.ReplaceWith(JsonValue.Create(member.ToJsonString().Trim('"')))),
        Member("true", (member, _) => member.ReplaceWith(JsonValue.Create(true))),
        Member("a huge number", (member, _) => member.ReplaceWith(JsonNode.Parse("1e300"))),
        Member("a number beyond 64 bits", (member, _) => member.ReplaceWith(JsonNode.Parse("99999999999999999999"))),
        Member("a negative number", (member, random) => member.ReplaceWith(JsonValue.Create(-1L - random.Next(100_000)))),
        Member("another number", (member, random) => member.ReplaceWith(JsonValue.Create((long)random.Next(100_000)))),
        Member("a million characters", (member, _) => member.ReplaceWith(JsonValue.Create(new string('x', 1_000_000)))),
        Member("an unknown word", (member, _) => member.ReplaceWith(JsonValue.Create("brand_new_in_2027"))),
        Member("controls and quotes", (member, _) => member.ReplaceWith(JsonValue.Create("\u0000\u001b[31m\r\nBcc: x@example.test'; DROP TABLE payments; --\u202e<script>\ud83d"))),
        Member("an id of another", (member, random) => member.ReplaceWith(JsonValue.Create(new[] { "pi_ada", "pi_bea", "cus_ada", "cus_bea", "pm_ada", "1", "2" }[random.Next(7)]))),
    ];

    private static Distortion Raw(string name, Func<byte[], Random, byte[]> apply) => new(name, false, (body, random) => body.Length == 0 ? body : apply(body, random));

    private static Distortion Member(string name, Action<JsonNode, Random> change) => new($"a member is {name}", true, (body, random) =>
    {
        var root = JsonNode.Parse(body)!;
        var members = Below(root).ToList();
        // Half of them where money is decided.
        var money = members.Where(m => m.Parent is JsonObject && m.GetPropertyName() is "id" or "amount" or "amount_received" or "currency" or "status" or "customer" or "metadata" or "data" or "has_more" or "created").ToList();
        var from = money.Count > 0 && random.Next(2) == 0 ? money : members;
        if (from.Count > 0)
            change(from[random.Next(from.Count)], random);
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    });

    private static IEnumerable<JsonNode> Below(JsonNode? node) => node switch
    {
        JsonObject o => o.Where(member => member.Value is not null).SelectMany(member => Below(member.Value).Prepend(member.Value!)),
        JsonArray a => a.Where(element => element is not null).SelectMany(element => Below(element).Prepend(element!)),
        _ => [],
    };

    private static void Remove(JsonNode member)
    {
        if (member.Parent is JsonObject o)
            o.Remove(member.GetPropertyName());
        else if (member.Parent is JsonArray a)
            a.RemoveAt(member.GetElementIndex());
    }

    private static byte[] Twice(byte[] body)
    {
        var text = Encoding.UTF8.GetString(body).Trim();
        return Encoding.UTF8.GetBytes($"{text[..^1]},{text[1..]}");
    }

    private static byte[] NoUtf8(byte[] body, Random random)
    {
        var quotes = body.Index().Where(b => b.Item == '"' && b.Index > 0 && body[b.Index - 1] != '\\').Select(b => b.Index).ToList();
        var at = quotes[random.Next(quotes.Count)] + 1;
        return [.. body[..at], 0xC3, 0x28, 0xFF, .. body[at..]];
    }

    public override string ToString() => Name;
}
