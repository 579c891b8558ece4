using System.Net.Http.Headers;
using System.Text;

namespace Jobs.Telemetry;

/// <summary>Short requests to whoever listens for runs; what they answer does not matter, as long as they answer well.</summary>
internal static class Http
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <exception cref="HttpRequestException">Nobody there, or a status that is no success.</exception>
    public static async Task SendAsync(HttpMethod method, Uri address, string body, string mediaType, CancellationToken cancellation)
    {
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = Patience, ActivityHeadersPropagator = null })
        {
            Timeout = Patience,
        };
        using var request = new HttpRequestMessage(method, new UriBuilder(address) { UserName = "", Password = "" }.Uri)
        {
            Content = new StringContent(body, Encoding.UTF8),
        };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(mediaType);
        if (address.UserInfo.Length > 0)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(address.UserInfo))));
        }

        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("jobs", Runs.JobProgram.Version));
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        response.EnsureSuccessStatusCode();
    }
}
