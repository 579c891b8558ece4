using System.Buffers.Binary;
using System.Text;

namespace Jobs.Tests.Telemetry;

/// <summary>As much of protobuf as it takes to read what a collector is sent: fields by number, whatever their names.</summary>
internal sealed class OtlpMessage
{
    private readonly List<(int Field, object Value)> _fields = [];

    public OtlpMessage(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var tag = Varint(ref bytes);
            object value;
            switch (tag & 7)
            {
                case 0:
                    value = Varint(ref bytes);
                    break;
                case 1:
                    value = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
                    bytes = bytes[8..];
                    break;
                case 2:
                    var length = (int)Varint(ref bytes);
                    value = bytes[..length].ToArray();
                    bytes = bytes[length..];
                    break;
                case 5:
                    value = (ulong)BinaryPrimitives.ReadUInt32LittleEndian(bytes);
                    bytes = bytes[4..];
                    break;
                default:
                    throw new FormatException($"wire type {tag & 7}");
            }

            _fields.Add(((int)(tag >> 3), value));
        }
    }

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        var (value, shift) = (0UL, 0);
        while (true)
        {
            var b = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
            shift += 7;
        }
    }

    public IEnumerable<OtlpMessage> Messages(params int[] path) => path is [var field, .. var rest]
        ? _fields.Where(f => f.Field == field).SelectMany(f => new OtlpMessage((byte[])f.Value).Messages(rest))
        : [this];

    public string Text(int field) => Encoding.UTF8.GetString(Bytes(field));

    public string Hex(int field) => Convert.ToHexStringLower(Bytes(field));

    public ulong Number(int field) => (ulong)(_fields.Find(f => f.Field == field).Value ?? 0UL);

    public double Double(int field) => BitConverter.UInt64BitsToDouble(Number(field));

    public bool Has(int field) => _fields.Exists(f => f.Field == field);

    /// <summary>KeyValue messages of this field.</summary>
    public Dictionary<string, string> Attributes(int field) => Messages(field).ToDictionary(
        a => a.Text(1),
        a => a.Messages(2).Single() is var value && value.Has(1) ? value.Text(1) : value.Has(2) ? (value.Number(2) == 1 ? "true" : "false") : $"{value.Number(3)}",
        StringComparer.Ordinal);

    private byte[] Bytes(int field) => (byte[])(_fields.Find(f => f.Field == field).Value ?? Array.Empty<byte>());
}

internal sealed record OtlpSpan(string Service, string Trace, string Id, string Parent, string Name, IReadOnlyDictionary<string, string> Attributes, bool Failed)
{
    public static List<OtlpSpan> Of(IEnumerable<Sent> requests) =>
    [
        .. from request in requests
           where request.Path.EndsWith("/v1/traces", StringComparison.Ordinal)
           from resource in new OtlpMessage(request.Body).Messages(1)
           let service = resource.Messages(1).Single().Attributes(1)["service.name"]
           from span in resource.Messages(2, 2)
           select new OtlpSpan(
               service, span.Hex(1), span.Hex(2), span.Hex(4), span.Text(5), span.Attributes(9), span.Messages(15).Any(status => status.Number(3) == 2)),
    ];
}

internal sealed record OtlpPoint(string Name, bool IsTotal, IReadOnlyDictionary<string, string> Attributes, double Value)
{
    public static List<OtlpPoint> Of(IEnumerable<Sent> requests) =>
    [
        .. from request in requests
           where request.Path.EndsWith("/v1/metrics", StringComparison.Ordinal)
           from metric in new OtlpMessage(request.Body).Messages(1, 2, 2)
           from point in metric.Messages(5, 1).Concat(metric.Messages(7, 1))
           select new OtlpPoint(metric.Text(1), metric.Has(7), point.Attributes(7), point.Double(4)),
    ];
}
