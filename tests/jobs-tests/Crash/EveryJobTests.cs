using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>What is promised of every job is tried with every job.</summary>
public sealed class EveryJobTests
{
    [Fact]
    public void Every_job_has_a_crash_scenario()
    {
        var without = Catalogue.Jobs.Select(job => job.Name).Except(Scenarios.All.Select(scenario => scenario.Job), StringComparer.Ordinal).ToList();
        Assert.True(without.Count == 0,
            $"{string.Join(", ", without)}: no crash scenario. Add one to tests/jobs-tests/Crash, in a ...Scenarios.cs: a small world in which the job has something to do, "
            + "and the counters of a run that nothing disturbs; name it in Scenarios.All. It is then killed at every step, run twice at once and put to sleep past its lease.");
    }

    [Fact]
    public void Every_scenario_says_what_an_undisturbed_run_does() =>
        Assert.DoesNotContain(Scenarios.All, scenario => scenario is { Outcome.Length: 0, Done: null });

    [Fact]
    public void No_two_scenarios_have_the_same_name() => Assert.Distinct(Scenarios.All.Select(scenario => scenario.Name));

    /// <summary>The variables that lead out of the database tell which job has steps there.</summary>
    [Fact]
    public void Every_job_that_calls_writes_mail_or_keeps_files_is_killed_at_these_steps_too()
    {
        var outside = Scenarios.All.Where(scenario => scenario.Outside is not null).Select(scenario => scenario.Job).ToHashSet(StringComparer.Ordinal);
        var without = Catalogue.Jobs.Where(job => job.Needs.Length > 0 && !outside.Contains(job.Name)).Select(job => job.Name).ToList();
        Assert.True(without.Count == 0, $"{string.Join(", ", without)}: no scenario says at which steps outside the database it can be killed (Scenario.Outside)");
    }
}
