using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

internal static class ReaderCalls
{
    public static Answer List(Merchant merchant) =>
        Answer.Of(200, new JsonObject { ["items"] = new JsonArray([.. merchant.Readers.Select(Render.Reader)]) });

    public static Reader Find(Merchant merchant, string id) => merchant.Readers.Find(reader => reader.Id == id) ?? throw SumUpError.NotFound();

    public static Answer Create(Merchant merchant, JsonObject body)
    {
        var (code, name) = ((string?)body["pairing_code"], (string?)body["name"]);
        if (code is null || code.Length is < 8 or > 9 || name is null || name.Length > 500)
            throw new SumUpError(400, "bad-request", "Bad Request");
        var pairing = merchant.PairingCodes.Find(p => p.Code == code);
        if (pairing is null || pairing.ExpiresAt <= merchant.Now)
            throw new SumUpError(404, "not-found", "There is no pending reader for this code.");
        if (pairing.Used)
            throw new SumUpError(409, "conflict", "The reader is not in a pending state.");
        pairing.Used = true;
        var reader = new Reader(name, pairing.Device, merchant.Now);
        merchant.Readers.Add(reader);
        if (pairing.ConfirmAfterMs is { } confirms)
            merchant.In(TimeSpan.FromMilliseconds(confirms), () => Become("paired"));
        else
            merchant.In(TimeSpan.FromMilliseconds(merchant.Config.PairingMs), () => Become("expired"));
        return Answer.Of(201, Render.Reader(reader));

        void Become(string status) => (reader.Status, reader.UpdatedAt) = (status, merchant.Now);
    }

    public static Answer Delete(Merchant merchant, string id)
    {
        merchant.Readers.Remove(Find(merchant, id));
        return new Answer(200, "");
    }

    public static Answer Status(Merchant merchant, string id)
    {
        var device = Find(merchant, id).Device;
        if (merchant.Config.Status == "none")
            throw SumUpError.NotFound();
        if (device.Online)
            device.LastActivity = merchant.Now;
        var data = new JsonObject { ["status"] = device.Online ? "ONLINE" : "OFFLINE" };
        if (merchant.Config.Status == "all")
        {
            data["state"] = device.State;
            data["last_activity"] = Render.Time(device.LastActivity);
            data["battery_level"] = 71.5;
            data["battery_temperature"] = 32;
            data["connection_type"] = "Wi-Fi";
            data["firmware_version"] = "3.3.39.0";
        }

        return Answer.Of(200, new JsonObject { ["data"] = data });
    }
}
