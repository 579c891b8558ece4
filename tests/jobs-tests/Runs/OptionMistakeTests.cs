using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>Options are read before anything is connected to.</summary>
public sealed class OptionMistakeTests
{
    [Theory]
    [InlineData("--as-of must be an instant with its zone, such as 2026-11-20T06:00:00Z, not 'tomorrow'", "--as-of", "tomorrow")]
    [InlineData("--as-of must be an instant with its zone, such as 2026-11-20T06:00:00Z, not '2026-11-20T06:00:00'", "--as-of", "2026-11-20T06:00:00")]
    [InlineData("--as-of must be an instant with its zone, such as 2026-11-20T06:00:00Z, not '2026-02-30T06:00:00Z'", "--as-of", "2026-02-30T06:00:00Z")]
    [InlineData("--limit must be a whole number above 0, not '0'", "--limit", "0")]
    [InlineData("--limit must be a whole number above 0, not '-1'", "--limit", "-1")]
    [InlineData("--limit must be a whole number above 0, not '1e3'", "--limit", "1e3")]
    [InlineData("--limit must be a whole number above 0, not '99999999999'", "--limit", "99999999999")]
    [InlineData("--batch-size must be a whole number above 0, not '٣'", "--batch-size", "٣")]
    [InlineData("--shard must be I/N with I counting from 0 and below N, such as 0/4, not '4/4'", "--shard", "4/4")]
    [InlineData("--shard must be I/N with I counting from 0 and below N, such as 0/4, not '1'", "--shard", "1")]
    [InlineData("--shard must be I/N with I counting from 0 and below N, such as 0/4, not '0/0'", "--shard", "0/0")]
    [InlineData("--timeout must be a duration such as 90s, 5m, 12h or 7d (at most 3650d), not '5'", "--timeout", "5")]
    [InlineData("--timeout must be a duration such as 90s, 5m, 12h or 7d (at most 3650d), not '0s'", "--timeout", "0s")]
    [InlineData("--timeout must be a duration such as 90s, 5m, 12h or 7d (at most 3650d), not '9999d'", "--timeout", "9999d")]
    [InlineData("--only must be an id: a whole number above 0, not 'all'", "--only", "all")]
    [InlineData("--only must be an id: a whole number above 0, not ''", "--only", "")]
    [InlineData("--only must be an id: a whole number above 0, not '1 2'", "--only", "1\n2")]
    [InlineData("'--dry-ran' is not an option of expire-subscriptions; did you mean --dry-run?", "--dry-ran")]
    [InlineData("'--limt=3' is not an option of expire-subscriptions; did you mean --limit?", "--limt=3")]
    [InlineData("'--DRY-RUN' is not an option of expire-subscriptions; did you mean --dry-run?", "--DRY-RUN")]
    [InlineData("'--frobnicate' is not an option of expire-subscriptions; see expire-subscriptions --help", "--frobnicate")]
    [InlineData("'maybe' is not an option of expire-subscriptions; see expire-subscriptions --help", "--dry-run=maybe")]
    [InlineData("'everything' is not an option of expire-subscriptions; see expire-subscriptions --help", "everything")]
    [InlineData("'[suggest]' is not an option of expire-subscriptions; see expire-subscriptions --help", "[suggest]")]
    [InlineData("'@/etc/hostname' is not an option of expire-subscriptions; see expire-subscriptions --help", "@/etc/hostname")]
    [InlineData("'--version' is not an option of expire-subscriptions; see expire-subscriptions --help", "--", "--version")]
    [InlineData("Required argument missing for option: '--only'; see expire-subscriptions --help", "--only")]
    [InlineData("Option '--only' expects a single argument but 2 were provided; see expire-subscriptions --help", "--only", "1", "--only", "2")]
    public async Task A_bad_option_is_named_with_what_was_expected(string sentence, params string[] args) =>
        Assert.Equal(sentence, await Mistake.InBothFormsAsync("expire-subscriptions", JobWorld.Nowhere, args));

    [Fact]
    public async Task A_bad_form_of_output_is_named() =>
        Assert.Equal("--output must be text or json, not 'xml'", await Mistake.SentenceAsync("expire-subscriptions", JobWorld.Nowhere, "--output", "xml"));

    [Theory]
    [InlineData("--output=json")]
    [InlineData("--output:json")]
    public async Task Json_is_answered_however_it_was_asked_for(string output)
    {
        using var process = JobInProcess.Start("expire-subscriptions", JobWorld.Nowhere, output, "--limit", "x");
        var result = await process.EndAsync();
        Assert.Equal(Mistake.OneSentence("expire-subscriptions", result, JobWorld.Nowhere), Mistake.OneObject(result).GetProperty("error").GetString());
    }

    [Theory]
    [InlineData("JOBS_LIMIT", "many", "JOBS_LIMIT must be a whole number above 0, not 'many'")]
    [InlineData("JOBS_ONLY", "all", "JOBS_ONLY must be an id: a whole number above 0, not 'all'")]
    [InlineData("JOBS_AS_OF", "now", "JOBS_AS_OF must be an instant with its zone, such as 2026-11-20T06:00:00Z, not 'now'")]
    [InlineData("JOBS_DRY_RUN", "perhaps", "JOBS_DRY_RUN must be true or false, not 'perhaps'")]
    [InlineData("JOBS_ITEMS", "2", "JOBS_ITEMS must be true or false, not '2'")]
    [InlineData("JOBS_SHARD", "a/b", "JOBS_SHARD must be I/N with I counting from 0 and below N, such as 0/4, not 'a/b'")]
    [InlineData("JOBS_TIMEOUT", "soon", "JOBS_TIMEOUT must be a duration such as 90s, 5m, 12h or 7d (at most 3650d), not 'soon'")]
    [InlineData("JOBS_BATCH_SIZE", "-5", "JOBS_BATCH_SIZE must be a whole number above 0, not '-5'")]
    [InlineData("JOB_SHARDS", "4", "JOB_SHARDS is set but JOB_COMPLETION_INDEX is not; set both or neither")]
    public async Task A_bad_environment_value_names_its_variable(string name, string value, string sentence) =>
        Assert.Equal(sentence, await Mistake.InBothFormsAsync("expire-subscriptions", new(JobWorld.Nowhere, StringComparer.Ordinal) { [name] = value }));

    [Fact]
    public async Task A_bad_form_of_output_in_the_environment_is_named() =>
        Assert.Equal(
            "JOBS_OUTPUT must be text or json, not 'yaml'",
            await Mistake.SentenceAsync("expire-subscriptions", new(JobWorld.Nowhere, StringComparer.Ordinal) { ["JOBS_OUTPUT"] = "yaml" }));

    [Fact]
    public async Task A_contradiction_about_the_output_itself_is_one_sentence_too() =>
        Assert.Equal(
            "both JOBS_OUTPUT and JOBS_OUTPUT_FILE are set; keep one of them",
            await Mistake.SentenceAsync("expire-subscriptions", new(JobWorld.Nowhere, StringComparer.Ordinal) { ["JOBS_OUTPUT"] = "json", ["JOBS_OUTPUT_FILE"] = "/nowhere" }));

    [Theory]
    [InlineData("9", "4")]
    [InlineData("x", "4")]
    [InlineData("0", "none")]
    public async Task A_bad_index_of_an_indexed_job_names_both_variables(string index, string count) =>
        Assert.Equal(
            $"JOB_COMPLETION_INDEX/JOB_SHARDS must be I/N with I counting from 0 and below N, such as 0/4, not '{index}/{count}'",
            await Mistake.SentenceAsync(
                "expire-subscriptions", new(JobWorld.Nowhere, StringComparer.Ordinal) { ["JOB_COMPLETION_INDEX"] = index, ["JOB_SHARDS"] = count }));

    [Theory]
    [InlineData("autopayment", "2026-01-01T00:00:00Z", "--as-of is refused in production")]
    [InlineData("autopayment", "2199-01-01T00:00:00Z", "--as-of is refused in production")]
    public async Task Another_day_than_today_is_refused_in_production(string job, string asOf, string sentence) =>
        Assert.StartsWith(
            sentence,
            await Mistake.SentenceAsync(job, new(JobWorld.Nowhere, StringComparer.Ordinal) { ["APP_ENV"] = "production" }, "--as-of", asOf),
            StringComparison.Ordinal);
}
