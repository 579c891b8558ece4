using static Jobs.Demo.Story;

namespace Jobs.Demo;

/// <summary>What must hold; every failure is told at the end and makes the demo exit 1.</summary>
internal sealed class Checks
{
    private readonly List<string> _failures = [];

    public IReadOnlyList<string> Failures => _failures;

    public void That(bool holds, string otherwise)
    {
        if (!holds)
            _failures.Add(otherwise);
    }

    /// <summary>A check that the onlooker sees, too.</summary>
    public void Show(bool holds, string label, string text)
    {
        Check(holds, label, text);
        That(holds, $"{label}: {text}");
    }
}
