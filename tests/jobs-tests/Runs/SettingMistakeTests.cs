using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class SettingMistakeTests(SharedWorld shared) : IClassFixture<SharedWorld>
{
    [Fact]
    public async Task A_missing_database_url_is_named_with_an_example() =>
        Assert.Equal(
            "DATABASE_URL is not set; set it to the PostgreSQL to work on, such as postgresql://user:password@host:5432/database",
            await Mistake.InBothFormsAsync("expire-subscriptions", shared.With(("DATABASE_URL", null))));

    [Theory]
    [InlineData("DATABASE_URI")]
    [InlineData("DATABSE_URL")]
    [InlineData("database_url")]
    public async Task A_misspelt_database_url_is_recognized(string name) =>
        Assert.Equal(
            $"DATABASE_URL is not set; {name} is, did you mean DATABASE_URL?",
            await Mistake.SentenceAsync("expire-subscriptions", shared.With(("DATABASE_URL", null), (name, shared.World.Environment["DATABASE_URL"]))));

    [Theory]
    [InlineData("garbage", "has no scheme")]
    [InlineData("mysql://root:p%40ss%2Fword@db/shop", "another kind of server")]
    [InlineData("postgresql://u:p%40ss%2Fword@h:port/d", "from 1 to 65535")]
    [InlineData("postgresql://u:p@ssword@h/d", "more than one \"@\"")]
    [InlineData("postgresql://u:p%40ss%2Fword@h/d?sslmod=require", "did you mean sslmode?")]
    [InlineData("Host=h;Pasword=p@ss/word", "did you mean Password?")]
    public async Task A_garbled_database_url_is_explained(string url, string explanation)
    {
        var sentence = await Mistake.InBothFormsAsync("expire-subscriptions", shared.With(("DATABASE_URL", url)));
        Assert.StartsWith("DATABASE_URL: ", sentence, StringComparison.Ordinal);
        Assert.Contains(explanation, sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("46s")]
    [InlineData("500ms")]
    [InlineData("for ever")]
    public async Task A_leases_life_has_bounds(string life) =>
        Assert.Equal(
            $"JOBS_LEASE must be a duration from 1s to 45s, not '{life}'",
            await Mistake.InBothFormsAsync("expire-subscriptions", shared.With(("JOBS_LEASE", life))));

    [Fact]
    public async Task A_missing_key_is_named() =>
        Assert.Equal(
            "STRIPE_SECRET_KEY is not set; set it to the Stripe secret key, such as sk_test_...",
            await Mistake.InBothFormsAsync("autopayment", shared.With(("STRIPE_SECRET_KEY", null))));

    [Theory]
    [InlineData("STRIPE_SECRET")]
    [InlineData("STRIPE_SECRETKEY")]
    [InlineData("STRIPE_SECRET_KYE")]
    public async Task A_misspelt_key_variable_is_recognized(string name) =>
        Assert.Equal(
            $"STRIPE_SECRET_KEY is not set; {name} is, did you mean STRIPE_SECRET_KEY?",
            await Mistake.SentenceAsync("autopayment", shared.With(("STRIPE_SECRET_KEY", null), (name, "sk_test_fake"))));

    [Theory]
    [InlineData("pk_test_abcdefgh", null, "does not look like a secret key; one begins with sk_test_, sk_live_, rk_test_ or rk_live_")]
    [InlineData("whsec_abcdefgh", null, "does not look like a secret key; one begins with sk_test_, sk_live_, rk_test_ or rk_live_")]
    [InlineData("sk_live_abcdefgh", null, "is a live key but APP_ENV is not production; set APP_ENV=production or use a test key")]
    [InlineData("rk_live_abcdefgh", "staging", "is a live key but APP_ENV is not production; set APP_ENV=production or use a test key")]
    [InlineData("sk_test_abcdefgh", "production", "is a test key but APP_ENV is production; use the live key")]
    [InlineData("sk_test_abcdefgh", "Production", "is a test key but APP_ENV is production; use the live key")]
    public async Task A_wrong_key_is_refused_without_being_shown(string key, string? environment, string why) =>
        Assert.Equal(
            $"STRIPE_SECRET_KEY {why}",
            await Mistake.InBothFormsAsync("autopayment", shared.With(("STRIPE_SECRET_KEY", key), ("APP_ENV", environment))));

    [Fact]
    public async Task A_secret_given_twice_is_a_contradiction() =>
        Assert.Equal(
            "both STRIPE_SECRET_KEY and STRIPE_SECRET_KEY_FILE are set; keep one of them",
            await Mistake.InBothFormsAsync("autopayment", shared.With(("STRIPE_SECRET_KEY_FILE", "/nowhere"))));

    [Fact]
    public async Task A_missing_secret_file_is_named()
    {
        var sentence = await Mistake.InBothFormsAsync(
            "expire-subscriptions", shared.With(("DATABASE_URL", null), ("DATABASE_URL_FILE", "/nowhere/url")));
        Assert.StartsWith("DATABASE_URL_FILE names the file '/nowhere/url', which cannot be read: ", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_is_no_secret_file()
    {
        var sentence = await Mistake.SentenceAsync("expire-subscriptions", shared.With(("DATABASE_URL", null), ("DATABASE_URL_FILE", "/")));
        Assert.StartsWith("DATABASE_URL_FILE names the file '/', which cannot be read: ", sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n\n")]
    public async Task An_empty_secret_file_is_named(string content)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, content);
            Assert.Equal(
                $"STRIPE_SECRET_KEY_FILE names the file '{file}', which is empty",
                await Mistake.SentenceAsync("autopayment", shared.With(("STRIPE_SECRET_KEY", null), ("STRIPE_SECRET_KEY_FILE", file))));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_secret_may_come_as_a_file_with_a_line_end()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, shared.World.Environment["DATABASE_URL"] + "\r\n");
            using var process = JobInProcess.Start("expire-subscriptions", shared.With(("DATABASE_URL", null), ("DATABASE_URL_FILE", file)));
            var result = await process.EndAsync();
            Assert.True(result.ExitCode == 0, result.ToString());
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_bad_log_level_lists_the_good_ones() =>
        Assert.Equal(
            "LOG_LEVEL must be one of trace, debug, info, warning, error or critical, not 'loud'",
            await Mistake.InBothFormsAsync("expire-subscriptions", shared.With(("LOG_LEVEL", "loud"))));

    [Theory]
    [InlineData("expire-subscriptions", "Europe/Pariss")]
    [InlineData("expire-subscriptions", "+25:00")]
    [InlineData("autopayment", "Mars/Olympus")]
    public async Task An_unknown_time_zone_is_named_before_any_row_is_touched(string job, string zone) =>
        Assert.Equal(
            $"JOBS_TIME_ZONE must be an IANA time zone such as Europe/Paris, not '{zone}'",
            await Mistake.InBothFormsAsync(job, shared.With(("JOBS_TIME_ZONE", zone))));

    [Theory]
    [InlineData("1,3,7", "3", "the last retry is on day 7 (RENEWAL_RETRY_DAYS) but expiry on day 3 (RENEWAL_GRACE_DAYS): it would never happen; shorten the one or lengthen the other")]
    [InlineData("3,2", "5", "RENEWAL_RETRY_DAYS must be days after the period's end in rising order, such as 1,2,3")]
    [InlineData("1,1", "5", "RENEWAL_RETRY_DAYS must be days after the period's end in rising order, such as 1,2,3")]
    [InlineData("0,1", "5", "RENEWAL_RETRY_DAYS must be days after the period's end in rising order, such as 1,2,3")]
    [InlineData("1,,2", "5", "RENEWAL_RETRY_DAYS must be whole days, not ''")]
    [InlineData("1;2", "5", "RENEWAL_RETRY_DAYS must be whole days, not '1;2'")]
    [InlineData("1", "0", "RENEWAL_GRACE_DAYS must be between 1 and 60, not 0")]
    [InlineData("1", "61", "RENEWAL_GRACE_DAYS must be between 1 and 60, not 61")]
    [InlineData("1", "-3", "RENEWAL_GRACE_DAYS must be whole days, not '-3'")]
    [InlineData("1,2,3,4,5,6,7,8", "60", "RENEWAL_RETRY_DAYS has more than 7 days: card networks limit attempts, 8 a renewal in all is the most")]
    public async Task An_impossible_renewal_policy_is_refused_at_start(string retries, string grace, string sentence) =>
        Assert.Equal(
            sentence,
            await Mistake.SentenceAsync("expire-subscriptions", shared.With(("RENEWAL_RETRY_DAYS", retries), ("RENEWAL_GRACE_DAYS", grace))));

    /// <summary>By the database's clock, which is asked first; the run is on record as failed and holds no lease.</summary>
    [Theory]
    [InlineData("1 hour", true)]
    [InlineData("-1 minute", false)]
    public async Task The_future_is_refused_in_production(string ahead, bool refused)
    {
        await shared.World.ExecuteAsync("DELETE FROM job_runs");
        var asOf = await shared.World.ScalarAsync<string>(
            "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + @ahead::interval, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", new { ahead });
        var environment = shared.With(("APP_ENV", "production"));
        if (refused)
        {
            Assert.StartsWith(
                "--as-of is in the future, which is refused in production",
                await Mistake.InBothFormsAsync("expire-subscriptions", environment, "--as-of", asOf), StringComparison.Ordinal);
            using var dry = JobInProcess.Start("expire-subscriptions", environment, "--as-of", asOf, "--dry-run");
            Assert.Equal(0, (await dry.EndAsync()).ExitCode);
        }
        else
        {
            using var process = JobInProcess.Start("expire-subscriptions", environment, "--as-of", asOf);
            Assert.Equal(0, (await process.EndAsync()).ExitCode);
        }

        Assert.Equal(refused ? "failed failed" : "succeeded", await shared.World.ScalarAsync<string>("SELECT string_agg(status, ' ') FROM job_runs"));
        Assert.Equal(0, await shared.World.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Theory]
    [InlineData("STRIPE_API_BASE", "api.stripe.com", "STRIPE_API_BASE must be a URL such as https://api.stripe.com (without /v1), not 'api.stripe.com'")]
    [InlineData("STRIPE_API_BASE", "https://api.stripe.com/v1", "STRIPE_API_BASE must be a URL such as https://api.stripe.com (without /v1), not 'https://api.stripe.com/v1'")]
    [InlineData("STRIPE_API_BASE", "https://api.stripe.com/v1/", "STRIPE_API_BASE must be a URL such as https://api.stripe.com (without /v1), not 'https://api.stripe.com/v1/'")]
    [InlineData("STRIPE_API_BASE", "https://api.stripe.com?v=1", "STRIPE_API_BASE must be a URL such as https://api.stripe.com (without /v1), not 'https://api.stripe.com?v=1'")]
    [InlineData("STRIPE_MAX_REQUESTS_PER_SECOND", "0", "STRIPE_MAX_REQUESTS_PER_SECOND must be a whole number above 0, not '0'")]
    public async Task A_bad_setting_of_the_provider_is_named(string name, string value, string sentence) =>
        Assert.Equal(sentence, await Mistake.SentenceAsync("autopayment", shared.With((name, value))));
}
