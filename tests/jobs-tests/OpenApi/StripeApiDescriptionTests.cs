using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Jobs.Tests.OpenApi;

/// <summary>The judge is judged on a description of its own: it must be able to say no.</summary>
public sealed class StripeApiDescriptionTests
{
    private static readonly StripeApiDescription Description = new(Encoding.UTF8.GetBytes(
        """
        {"info":{"version":"test"},
         "paths":{
          "/v1/things":{
           "get":{"parameters":[
             {"in":"query","name":"limit","required":false,"schema":{"type":"integer"}},
             {"in":"query","name":"kind","required":true,"schema":{"type":"string","enum":["a","b"]}},
             {"in":"query","name":"created","required":false,"schema":{"anyOf":[{"type":"integer"},{"type":"object","properties":{"gte":{"type":"integer"}},"additionalProperties":false}]}},
             {"in":"query","name":"expand","required":false,"schema":{"type":"array","items":{"type":"string"}}}],
            "responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/thing"}}}},
                         "default":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/error"}}}}}},
           "post":{"parameters":[],"requestBody":{"content":{"application/x-www-form-urlencoded":{"schema":{"type":"object","properties":{
              "amount":{"type":"integer"},"confirm":{"type":"boolean"},"metadata":{"type":"object","additionalProperties":{"type":"string"}}},
              "required":["amount"],"additionalProperties":false}}}},
            "responses":{"default":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/error"}}}}}}},
          "/v1/things/search":{"get":{"parameters":[],"responses":{}}},
          "/v1/things/{id}":{"delete":{"parameters":[],"responses":{}}}},
         "components":{"schemas":{
          "error":{"type":"object","properties":{"error":{"type":"object","properties":{"type":{"type":"string"}},"required":["type"]}},"required":["error"]},
          "owner":{"type":"object","properties":{"id":{"type":"string"},"object":{"type":"string","enum":["owner"]},"name":{"type":"string"}},"required":["id","object","name"]},
          "deleted_owner":{"type":"object","properties":{"id":{"type":"string"},"object":{"type":"string","enum":["owner"]},"deleted":{"type":"boolean","enum":[true]}},"required":["id","object","deleted"]},
          "thing":{"type":"object","properties":{
            "id":{"type":"string"},"object":{"type":"string","enum":["thing"]},"created":{"type":"integer","format":"unix-time"},
            "status":{"type":"string","enum":["new","old"]},"note":{"type":"string","nullable":true},
            "tags":{"type":"array","items":{"type":"string"}},
            "owner":{"anyOf":[{"type":"string"},{"$ref":"#/components/schemas/owner"},{"$ref":"#/components/schemas/deleted_owner"}],"nullable":true}},
           "required":["id","object","created","owner"]}}}}
        """));

    [Theory]
    [InlineData("GET", "/v1/things", "kind=a&limit=100&created[gte]=5&expand[0]=x&expand[1]=y", null)]
    [InlineData("GET", "/v1/things", "kind=a&created=5&expand[]=x&expand[]=y", null)]
    [InlineData("GET", "/v1/things", "", "kind: is missing")]
    [InlineData("GET", "/v1/things", "kind=c", "kind: 'c' is not one of its values")]
    [InlineData("GET", "/v1/things", "kind=a&limit=101", "limit: '101' is not within 1 to 100")]
    [InlineData("GET", "/v1/things", "kind=a&limit=ten", "limit: 'ten' is not of type integer")]
    [InlineData("GET", "/v1/things", "kind=a&status=new", "status: is not a parameter")]
    [InlineData("GET", "/v1/things", "kind=a&created[gt]=5", "created[gt]: is not a parameter")]
    [InlineData("GET", "/v1/things", "kind=a&expand[1]=x", "expand: is not a list indexed from 0")]
    [InlineData("GET", "/v1/things", "kind=a&kind=a", "kind: is given twice")]
    [InlineData("GET", "/v1/things", "kind[=a", "kind[: brackets do not match")]
    [InlineData("POST", "/v1/things", "amount=5&confirm=true&metadata[k]=v", null)]
    [InlineData("POST", "/v1/things", "amount=5&confirm=True", "confirm: 'True' is not of type boolean")]
    [InlineData("POST", "/v1/things", "amount=5&metadata[k][l]=v", "metadata[k]: is a value, not a group")]
    [InlineData("POST", "/v1/things", "amount=5&metadata=v", "metadata: is a group, not a value")]
    [InlineData("POST", "/v1/things", "confirm=true", "amount: is missing")]
    [InlineData("DELETE", "/v1/things/1", "", null)]
    [InlineData("DELETE", "/v1/things/search", "", "DELETE /v1/things/search: is not in the description")]
    [InlineData("DELETE", "/v1/things/", "", "DELETE /v1/things/: is not in the description")]
    [InlineData("PUT", "/v1/things", "", "PUT /v1/things: is not in the description")]
    public void A_request_is_judged(string method, string path, string parameters, string? violation)
    {
        var pairs = parameters.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=')).Select(p => KeyValuePair.Create(p[0], p[1]));
        var violations = Description.CheckRequest(method, path, pairs);
        if (violation is null)
            Assert.Empty(violations);
        else
            Assert.Contains(violation, violations);
    }

    [Theory]
    [InlineData("{}", null)]
    [InlineData("""{"status":"unheard_of"}""", null)]
    [InlineData("""{"note":null,"owner":null}""", null)]
    [InlineData("""{"owner":{"id":"o","object":"owner","name":"n"}}""", null)]
    [InlineData("""{"owner":{"id":"o","object":"owner","deleted":true}}""", null)]
    [InlineData("""{"owner":{"id":"o","object":"owner"}}""", "$.owner")]
    [InlineData("""{"owner":{"id":"o","object":"thing"}}""", "$.owner: is object, which is none")]
    [InlineData("""{"owner":5}""", "$.owner")]
    [InlineData("""{"id":null}""", "$.id: must not be null")]
    [InlineData("""{"object":"thang"}""", "$.object: 'thang' is not what")]
    [InlineData("""{"created":1700000000000}""", "$.created: 1700000000000 is not a time in seconds")]
    [InlineData("""{"created":1.5}""", "$.created: is number, not integer")]
    [InlineData("""{"tags":["a",1]}""", "$.tags[1]: is number, not string")]
    [InlineData("""{"invoice":"in_1"}""", "$.invoice: is not described")]
    public void An_answer_is_judged(string changes, string? violation)
    {
        var body = JsonNode.Parse("""{"id":"t","object":"thing","created":1700000000,"owner":"o"}""")!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(changes)!.AsObject())
            body[name] = value?.DeepClone();
        var violations = Description.CheckResponse("GET", "/v1/things", 200, JsonElement.Parse(body.ToJsonString()));
        if (violation is null)
            Assert.Empty(violations);
        else
            Assert.Contains(violations, v => v.StartsWith(violation, StringComparison.Ordinal));
    }

    [Fact]
    public void An_error_is_judged_as_an_error()
    {
        Assert.Empty(Description.CheckResponse("GET", "/v1/things", 404, JsonElement.Parse("""{"error":{"type":"x"}}""")));
        Assert.Equal(["$.error.type: is missing"], Description.CheckResponse("GET", "/v1/things", 404, JsonElement.Parse("""{"error":{}}""")));
        Assert.Equal(["$.id: is missing", "$.object: is missing", "$.created: is missing", "$.owner: is missing", "$.error: is not described"],
            Description.CheckResponse("GET", "/v1/things", 200, JsonElement.Parse("""{"error":{}}""")));
    }

    [Fact]
    public void The_real_description_refuses_what_the_pinned_version_removed()
    {
        var real = StripeApiDescription.FoundOrSkip();
        Assert.Equal(Jobs.Stripe.StripeClient.ApiVersion, real.Version);
        Assert.Equal(["payment_method_types: is not a parameter"], real.CheckRequest("POST", "/v1/payment_intents",
            [new("amount", "1"), new("currency", "eur"), new("payment_method_types[0]", "card")]));
    }
}
