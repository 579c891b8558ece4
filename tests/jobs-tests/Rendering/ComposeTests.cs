using System.Text.Json;
using System.Text.RegularExpressions;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;
using YamlDotNet.Core;
using YamlDotNet.Serialization.NamingConventions;

namespace Jobs.Tests.Rendering;

public sealed partial class ComposeTests
{
    private static readonly string Docker = PostgresFixture.RepositoryFile("docker");

    private static readonly string Text = File.ReadAllText(Path.Combine(Docker, "compose.yaml"));

    private static readonly ComposeFile Compose = Read(Text);

    private static IEnumerable<JobDefinition> Jobs => Catalogue.Jobs.Where(job => job.Kind != JobKind.Schema);

    [Fact]
    public void Every_job_is_a_service_that_starts_only_when_it_is_asked_for() => Assert.All(Jobs, job =>
    {
        var service = Compose.Services[job.Name];
        Assert.Equal(["jobs"], service.Profiles);
        Assert.Equal($"${{IMAGE_PREFIX:-jobs}}/{job.Name}:${{TAG:-latest}}", service.Image);
        Assert.Equal(("..", "docker/Dockerfile", job.Name), (service.Build!.Context, service.Build.Dockerfile, service.Build.Args["JOB"]));
        Assert.True(service is { ReadOnly: true, User: "65532:65532", CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"] });
        Assert.Equal($"{job.MemoryMiB}m", service.MemLimit);
        Assert.Equal(job.Secrets, service.Secrets);
        Assert.Equal(job.Secrets.ToDictionary(name => $"{name}_FILE", name => $"/run/secrets/{name}").Append(new("JOBS_TIME_ZONE", "Europe/Paris")).ToHashSet(), service.Environment.ToHashSet());
    });

    [Fact]
    public void The_scheduler_has_a_profile_of_its_own_and_the_secrets_of_all_jobs()
    {
        var service = Compose.Services["scheduler"];
        Assert.Equal(["scheduler"], service.Profiles);
        Assert.Equal(["scheduler"], service.Command);
        Assert.Equal("scheduler", service.Build!.Args["JOB"]);
        Assert.True(service is { ReadOnly: true, User: "65532:65532", CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"] });
        Assert.Equal(Jobs.SelectMany(job => job.Secrets).ToHashSet(), service.Secrets.ToHashSet());
        Assert.Equal(service.Secrets.Select(name => $"{name}_FILE").Append("JOBS_TIME_ZONE").ToHashSet(), service.Environment.Keys.ToHashSet());
    }

    [Fact]
    public void Without_a_name_only_what_the_jobs_need_is_started() => Assert.Equal(
        ["fake-stripe", "fake-sumup", "grants", "mail", "migrate", "postgres"],
        Compose.Services.Where(service => service.Value.Profiles.Count == 0).Select(service => service.Key).Order(StringComparer.Ordinal));

    [Fact]
    public void A_job_waits_for_the_grants_they_for_the_schema_and_that_for_the_database()
    {
        Assert.All(Jobs, job => Assert.Equal("service_completed_successfully", Compose.Services[job.Name].DependsOn["grants"].Condition));
        Assert.Equal("service_completed_successfully", Compose.Services["grants"].DependsOn["migrate"].Condition);
        Assert.Equal("service_healthy", Compose.Services["migrate"].DependsOn["postgres"].Condition);
        Assert.All(Jobs.SelectMany(job => new[] { "fake-stripe", "fake-sumup", "mail" }, (job, fake) => Compose.Services[job.Name].DependsOn[fake]),
            fake => Assert.Equal("service_healthy", fake.Condition));
        Assert.All(Compose.Services.Values.SelectMany(service => service.DependsOn).Where(needed => needed.Value.Condition == "service_healthy"),
            needed => Assert.NotNull(Compose.Services[needed.Key].Healthcheck));
    }

    [Fact]
    public void What_a_service_refers_to_exists()
    {
        Assert.All(Compose.Services.Values, service =>
        {
            Assert.All(service.DependsOn.Keys, name => Assert.Contains(name, Compose.Services.Keys));
            Assert.All(service.Secrets, name => Assert.Contains(name, Compose.Secrets.Keys));
            Assert.All(service.EnvFile, file => Assert.True(File.Exists(Path.Combine(Docker, file)), file));
            Assert.All(service.Volumes.Select(volume => volume.Split(':')[0]), volume =>
                Assert.True(volume.StartsWith('.') ? File.Exists(Path.Combine(Docker, volume)) : Compose.Volumes.ContainsKey(volume), volume));
            Assert.True(service.NetworkMode is null || Compose.Services.ContainsKey(service.NetworkMode["service:".Length..]), service.NetworkMode);
            Assert.True(service.Build is null || File.Exists(Path.Combine(Docker, service.Build.Context, service.Build.Dockerfile)), service.Build?.Dockerfile);
        });
        Assert.All(Compose.Secrets, secret =>
        {
            Assert.Equal($"${{JOBS_SECRETS:-./compose-secrets}}/{secret.Key}", secret.Value.File);
            Assert.Matches("not.a.secret", File.ReadAllText(Path.Combine(Docker, "compose-secrets", secret.Key)));
        });
    }

    [Fact]
    public void The_variables_are_those_that_the_jobs_read_and_all_that_they_need()
    {
        var example = File.ReadAllText(PostgresFixture.RepositoryFile(".env.example"));
        var names = File.ReadLines(Path.Combine(Docker, "compose.env")).Where(line => !line.StartsWith('#')).Select(line => line.Split('=')[0]).ToList();
        Assert.All(names, name => Assert.Matches($"(?m)^#?{name}=", example));
        Assert.All(Jobs, job => Assert.All(job.Needs, need => Assert.True(names.Contains(need) || job.Secrets.Contains(need), $"{job.Name} needs {need}")));
    }

    [Fact]
    public void An_image_that_is_built_here_is_never_taken_from_a_registry() =>
        Assert.All(Compose.Services.Values.Where(service => service.Build is not null), service => Assert.Equal("never", service.PullPolicy));

    [Fact]
    public void The_business_is_seeded_only_when_somebody_asks_for_it()
    {
        Assert.Equal(["seed"], Compose.Services["seed"].Profiles);
        Assert.All(Compose.Services.Values, service => Assert.DoesNotContain("seed", service.DependsOn.Keys));
    }

    [Fact]
    public void Whom_the_database_is_seeded_with_the_fakes_know()
    {
        var sql = File.ReadAllText(Path.Combine(Docker, "compose-seed.sql"));
        using var stripe = JsonDocument.Parse(File.ReadAllText(Path.Combine(Docker, "compose-seed.json")));
        var known = stripe.RootElement.GetProperty("customers").EnumerateArray()
            .SelectMany(customer => customer.GetProperty("payment_methods").EnumerateArray().Append(customer))
            .Concat(stripe.RootElement.GetProperty("payment_intents").EnumerateArray())
            .Select(item => item.GetProperty("id").GetString()!);
        Assert.Equal(ProviderId().Matches(sql).Select(match => match.Value).ToHashSet(), known.ToHashSet());
        Assert.Contains("'SOLO-1'", sql, StringComparison.Ordinal);
        Assert.Contains("SOLO-1:Desk", Compose.Services["fake-sumup"].Command);
    }

    [Theory]
    [InlineData("    network_mode:", "    network-mode:")]
    [InlineData("      retries:", "      retry:")]
    [InlineData("condition: service_healthy", "condicion: service_healthy")]
    [InlineData("  read_only: true", "  read_only: \"yes\"")]
    public void A_misspelt_field_is_found(string right, string wrong)
    {
        Assert.Contains(right, Text, StringComparison.Ordinal);
        Assert.ThrowsAny<YamlException>(() => Read(Text.Replace(right, wrong, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_job_that_is_new_in_the_catalogue_is_a_service_without_an_edit()
    {
        var unheard = new JobDefinition("feed-the-cat", "Feeds the cat.", null, TimeSpan.FromMinutes(3), JobKind.OnDemand, ["SUMUP_API_KEY"], MovesMoney: false);
        var service = Read(Assert.Single(Render.Compose.Files([.. Catalogue.Jobs, unheard], "Europe/Lisbon")).Text).Services["feed-the-cat"];
        Assert.Equal(["DATABASE_URL", "SUMUP_API_KEY"], service.Secrets);
        Assert.Equal("Europe/Lisbon", service.Environment["JOBS_TIME_ZONE"]);
    }

    [Fact]
    public async Task Compose_itself_takes_the_file()
    {
        var compose = Shell.Find("docker-compose");
        Assert.SkipWhen(compose is null, "docker-compose is not installed: the file is read strictly, but not by Compose");
        var services = await Shell.RunAsync(compose!, ["-f", Path.Combine(Docker, "compose.yaml"), "--profile", "jobs", "--profile", "scheduler", "--profile", "seed", "config", "--services"]);
        Assert.True(services.ExitCode == 0, services.ToString());
        Assert.Equal(Compose.Services.Keys.ToHashSet(), services.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToHashSet());
    }

    [GeneratedRegex(@"\b(cus|pm|pi)_\w+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ProviderId();

    private static ComposeFile Read(string text) => StrictYaml.Read<ComposeFile>(text, UnderscoredNamingConvention.Instance);
}
