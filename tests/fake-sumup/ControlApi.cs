using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

/// <summary>/_fake, as README.md lists it. A mistake is answered with 400 and says what.</summary>
internal sealed class ControlApi(Merchants merchants)
{
    private static readonly JsonSerializerOptions Names = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    public async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!.Split('/')[2..];
        using var reader = new StreamReader(http.Request.Body);
        var text = await reader.ReadToEndAsync();
        try
        {
            var body = text.Length == 0 ? null : JsonNode.Parse(text);
            if (path is ["merchants", var code, "held"])
            {
                await http.Response.WriteAsync(Held(Merchant(code)).ToJsonString());
                return;
            }

            var answer = (http.Request.Method, path) switch
            {
                ("POST", ["merchants"]) => Seed(body as JsonObject ?? []),
                (var method, ["merchants", var of, .. var rest]) => Of(Merchant(of), method, rest, body),
                _ => throw new FormatException("there is no such call"),
            };
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(answer.ToJsonString());
        }
        catch (Exception e) when (e is FormatException or JsonException or InvalidOperationException)
        {
            http.Response.StatusCode = 400;
            await http.Response.WriteAsync(e.Message);
        }
    }

    private Merchant Merchant(string code) => merchants.Find(code) ?? throw new FormatException($"there is no merchant {code}");

    private JsonObject Seed(JsonObject body)
    {
        var merchant = new Merchant((string?)body["code"] ?? Ids.Merchant(), (string?)body["key"] ?? Ids.Key(), (string?)body["currency"] ?? "EUR");
        foreach (var reader in body["readers"] as JsonArray ?? [])
            AddReader(merchant, (JsonObject)reader!);
        if (body["config"] is { } config)
            merchant.Config = config.Deserialize<Config>(Names)!;
        merchants.Add(merchant);
        return State(merchant);
    }

    private static JsonObject Of(Merchant merchant, string method, string[] path, JsonNode? body)
    {
        lock (merchant.Gate)
        {
            merchant.CatchUp();
            switch (method, path)
            {
                case ("GET", []):
                    break;
                case ("GET", ["requests"]):
                    return new JsonObject { ["requests"] = merchant.Requests.Render() };
                case ("DELETE", ["requests"]):
                    merchant.Requests.Clear();
                    break;
                case ("GET", ["ledger"]):
                    return Ledger.Of(merchant);
                case ("POST", ["clock"]):
                    SetClock(merchant, (JsonObject)body!);
                    merchant.CatchUp();
                    break;
                case ("POST", ["config"]):
                    merchant.Config = Merged(merchant.Config, (JsonObject)body!);
                    break;
                case ("POST", ["readers"]):
                    return (JsonObject)Render.Reader(AddReader(merchant, (JsonObject)body!));
                case ("POST", ["pairing-codes"]):
                    return new JsonObject { ["code"] = AddPairingCode(merchant, (JsonObject)body!) };
                case ("POST", ["devices", var serial, var what]):
                    Do(merchant, Device(merchant, serial), what, body);
                    break;
                case ("POST", ["faults"]):
                    AddFault(merchant, (JsonObject)body!);
                    break;
                case ("DELETE", ["faults"]):
                    merchant.Faults.Clear();
                    break;
                case ("POST", ["release"]):
                    merchant.Faults.Waiting.Release();
                    break;
                default:
                    throw new FormatException("there is no such call");
            }

            return State(merchant);
        }
    }

    private static JsonObject Held(Merchant merchant) => new() { ["held"] = merchant.Faults.Waiting.Count };

    private static Config Merged(Config config, JsonObject changes)
    {
        var merged = (JsonObject)JsonSerializer.SerializeToNode(config, Names)!;
        foreach (var (name, value) in changes)
            merged[name] = value?.DeepClone();
        return merged.Deserialize<Config>(Names)!;
    }

    private static void SetClock(Merchant merchant, JsonObject body)
    {
        if ((string?)body["now"] is { } now)
            merchant.SetClock(DateTimeOffset.Parse(now, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal));
        else if ((long?)body["advance_ms"] is { } advance)
            merchant.Advance(TimeSpan.FromMilliseconds(advance));
        else
            merchant.RunClock();
    }

    public static Reader AddReader(Merchant merchant, JsonObject body)
    {
        var serial = (string?)body["serial"] ?? throw new FormatException("a reader needs its device's serial");
        var device = merchant.Devices.Find(d => d.Serial == serial);
        if (device is null)
            merchant.Devices.Add(device = new Device(serial, (string?)body["model"] ?? "solo") { LastActivity = merchant.Now });
        device.Online = (bool?)body["online"] ?? true;
        merchant.Readers.RemoveAll(reader => reader.Device == device);
        var added = new Reader((string?)body["name"] ?? serial, device, merchant.Now) { Status = (string?)body["status"] ?? "paired" };
        merchant.Readers.Add(added);
        return added;
    }

    private static string AddPairingCode(Merchant merchant, JsonObject body)
    {
        var serial = (string?)body["serial"] ?? throw new FormatException("a code is shown by a device: serial");
        var device = merchant.Devices.Find(d => d.Serial == serial);
        if (device is null)
            merchant.Devices.Add(device = new Device(serial, (string?)body["model"] ?? "solo") { LastActivity = merchant.Now });
        var confirms = body.ContainsKey("confirm_after_ms") ? (int?)body["confirm_after_ms"] : 0;
        var code = new PairingCode(Ids.PairingCode(), device, merchant.Now + TimeSpan.FromMilliseconds(merchant.Config.PairingMs), confirms);
        merchant.PairingCodes.Add(code);
        return code.Code;
    }

    private static Device Device(Merchant merchant, string serial) =>
        merchant.Devices.Find(device => device.Serial == serial) ?? throw new FormatException($"there is no device {serial}");

    private static void Do(Merchant merchant, Device device, string what, JsonNode? body)
    {
        switch (what)
        {
            case "online":
                device.Online = true;
                break;
            case "offline":
                device.Online = false;
                break;
            case "scripts":
                foreach (var script in (JsonArray)body!)
                    device.Scripts.Enqueue(script.Deserialize<Script>(Names)!);
                break;
            case "stranger":
                var reader = merchant.Readers.Find(r => r.Device == device) ?? throw new FormatException("the device is not paired");
                if (device.Busy is not null)
                    throw new FormatException("the device is busy");
                var sale = new Checkout(
                    merchant, reader, body?["script"]?.Deserialize<Script>(Names) ?? merchant.Config.Script, (long?)body?["value"] ?? 100, CheckoutCalls.Decimals(merchant.Currency), merchant.Currency);
                merchant.Checkouts.Add(sale);
                sale.Accept();
                break;
            default:
                throw new FormatException($"a device does not {what}");
        }
    }

    private static void AddFault(Merchant merchant, JsonObject body)
    {
        var nth = (int?)body["nth"];
        merchant.Faults.Add(new Fault(
            (string?)body["kind"] ?? throw new FormatException("a fault needs its kind"),
            (string?)body["method"] ?? "",
            (string?)body["path"] ?? "",
            nth ?? 1,
            (int?)body["times"] ?? (nth is null ? null : 1)));
    }

    private static JsonObject State(Merchant merchant) => new()
    {
        ["code"] = merchant.Code,
        ["key"] = merchant.Key,
        ["now"] = Render.Time(merchant.Now),
        ["readers"] = new JsonArray([.. merchant.Readers.Select(Render.Reader)]),
        ["devices"] = new JsonArray([.. merchant.Devices.Select(device => new JsonObject
        {
            ["serial"] = device.Serial,
            ["online"] = device.Online,
            ["state"] = device.State,
            ["busy"] = device.Busy?.CheckoutId,
        })]),
        ["checkouts"] = new JsonArray([.. merchant.Checkouts.Select(Render.Checkout)]),
    };
}
