using System.Globalization;

namespace Jobs.Testing.FakeStripe;

/// <summary>
/// What happens when a payment method is charged: a sequence of outcomes, one for each attempt, the last one for
/// all that follow.
/// </summary>
internal sealed class Behaviour
{
    private readonly string[] _steps;
    private int _next;

    public Behaviour(string text)
    {
        Text = text;
        _steps = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (_steps.Length == 0 || _steps.Any(step => Outcome.Parse(step) is null))
            throw new ControlException($"unknown behaviour '{text}'");
    }

    public string Text { get; }

    public Outcome Next()
    {
        var step = _steps[Math.Min(_next, _steps.Length - 1)];
        _next++;
        return Outcome.Parse(step)!;
    }
}

internal enum OutcomeKind
{
    Success,
    Decline,

    /// <summary>The issuer wants authentication: off-session that is a decline.</summary>
    Authentication,

    /// <summary>requires_action even off-session, as with methods that redirect.</summary>
    Action,
    Processing,
}

internal sealed record Outcome(OutcomeKind Kind, Decline? Decline = null, double Seconds = 0)
{
    public static Outcome? Parse(string step)
    {
        if (step.StartsWith("processing_then_", StringComparison.Ordinal))
        {
            var parts = step["processing_then_".Length..].Split(':');
            var seconds = parts.Length > 1 ? double.Parse(parts[1], CultureInfo.InvariantCulture) : 20;
            return parts[0] switch
            {
                "succeed" => new Outcome(OutcomeKind.Processing, Decline: null, seconds),
                "fail" => new Outcome(OutcomeKind.Processing, Decline.Named("insufficient_funds"), seconds),
                _ => null,
            };
        }

        return step switch
        {
            "success" => new Outcome(OutcomeKind.Success),
            "authentication_required" => new Outcome(OutcomeKind.Authentication),
            "requires_action" => new Outcome(OutcomeKind.Action),
            _ => Decline.Named(step) is { } decline ? new Outcome(OutcomeKind.Decline, decline) : null,
        };
    }
}
