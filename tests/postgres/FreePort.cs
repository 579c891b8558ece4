using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Jobs.Testing;

/// <summary>
/// A free loopback port below the range from which the system takes ports for outgoing connections: while a server is down
/// between stop and start, nobody is given its port by chance.
/// </summary>
internal static class FreePort
{
    public static int Choose()
    {
        for (var attempt = 0; ; attempt++)
        {
            var port = RandomNumberGenerator.GetInt32(15_000, 32_000);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException) when (attempt < 200)
            {
                continue;
            }
        }
    }
}
