using System.Globalization;

namespace Jobs.Testing.FakeStripe;

internal sealed record CommandLine
{
    public const string Usage = """
        fake-stripe [--port N] [--rate R] [--latency MS] [--clock ISO] [--seed N] [--seed-file FILE] [--live] [--exit-with-stdin]

          --port N           listen on 127.0.0.1:N; 0, the default, takes a free port and prints it
          --rate R           requests a second before 429; 0 is no limit; default 25, Stripe's sandbox
          --latency MS       how long every request takes
          --clock ISO        the account's clock stands still at this moment
          --seed N           the same ids every time
          --seed-file FILE   begin with the objects of this file, a document as POST /_fake/seed takes it
          --live             take sk_live_ keys instead of sk_test_
          --exit-with-stdin  end when standard input closes, so as not to outlive a parent
        """;

    public int Port { get; init; }
    public double Rate { get; init; } = 25;
    public int LatencyMs { get; init; }
    public DateTimeOffset? Clock { get; init; }
    public int? Seed { get; init; }
    public string? SeedFile { get; init; }
    public bool Live { get; init; }
    public bool ExitWithStdin { get; init; }

    /// <summary>Null when it cannot be understood.</summary>
    public static CommandLine? Parse(string[] args)
    {
        var options = new CommandLine();
        try
        {
            for (var i = 0; i < args.Length; i++)
            {
                options = args[i] switch
                {
                    "--port" => options with { Port = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                    "--rate" => options with { Rate = double.Parse(args[++i], CultureInfo.InvariantCulture) },
                    "--latency" => options with { LatencyMs = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                    "--clock" => options with { Clock = DateTimeOffset.Parse(args[++i], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal) },
                    "--seed" => options with { Seed = int.Parse(args[++i], CultureInfo.InvariantCulture) },
                    "--seed-file" => options with { SeedFile = args[++i] },
                    "--live" => options with { Live = true },
                    "--exit-with-stdin" => options with { ExitWithStdin = true },
                    _ => throw new FormatException(args[i]),
                };
            }
        }
        catch (Exception error) when (error is FormatException or IndexOutOfRangeException or OverflowException)
        {
            return null;
        }

        return options;
    }
}
