using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using Jobs.Testing.FakeSmtp;

// fake-smtp [--port N] [--dir FOLDER] [--tls CERT.pem] [--implicit-tls] [--login USER:PASSWORD] [--exit-with-stdin]
// A mail server on 127.0.0.1 that catches every mail as an .eml file. Port 0, the default, is a free one, which it prints.
var options = new SmtpServerOptions { Keeps = false };
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--port" when i + 1 < args.Length && int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var port):
            (options, i) = (options with { Port = port }, i + 1);
            break;
        case "--dir" when i + 1 < args.Length:
            (options, i) = (options with { Directory = Directory.CreateDirectory(args[i + 1]).FullName }, i + 1);
            break;
        case "--tls" when i + 1 < args.Length:
            (options, i) = (options with { Certificate = X509Certificate2.CreateFromPemFile(args[i + 1]) }, i + 1);
            break;
        case "--implicit-tls":
            options = options with { ImplicitTls = true };
            break;
        case "--login" when i + 1 < args.Length && args[i + 1].Split(':', 2) is [var user, var password]:
            (options, i) = (options with { User = user, Password = password }, i + 1);
            break;
        case "--exit-with-stdin":
            break;
        default:
            await Console.Error.WriteLineAsync($"fake-smtp: what is {args[i]}? [--port N] [--dir FOLDER] [--tls CERT.pem] [--implicit-tls] [--login USER:PASSWORD] [--exit-with-stdin]");
            return 1;
    }
}

await using var server = SmtpServer.Start(options);
await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"listening on smtp{(options.ImplicitTls ? "s" : "")}://127.0.0.1:{server.Port}"));
await Console.Out.FlushAsync();
if (!args.Contains("--exit-with-stdin"))
{
    // As process 1 of a container it would not hear SIGTERM otherwise.
    var stopped = new TaskCompletionSource();
    using var onStop = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
    {
        signal.Cancel = true;
        stopped.TrySetResult();
    });
    await stopped.Task;
    return 0;
}

// A parent that dies closes the pipe, however it dies.
await Console.In.ReadToEndAsync();
return 0;
