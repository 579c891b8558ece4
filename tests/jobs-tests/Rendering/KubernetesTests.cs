using System.Text.RegularExpressions;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;
using YamlDotNet.Core;

namespace Jobs.Tests.Rendering;

public sealed partial class KubernetesTests
{
    private static readonly string Kubernetes = PostgresFixture.RepositoryFile("docker/kubernetes");

    private static readonly JobDefinition Unheard = new(
        "feed-the-cat", "Feeds the cat: \"kibble\".", "7 7 * * 1-5", TimeSpan.FromMinutes(3), JobKind.Scheduled, ["STRIPE_SECRET_KEY"], MovesMoney: false);

    private static readonly IReadOnlyList<KubernetesObject> Base = Objects("base", "alerts", "examples", "overlays");

    private static IEnumerable<CronJob> CronJobs => Base.OfType<CronJob>();

    private static IEnumerable<(string Name, JobSpec Job, bool Money)> Jobs =>
        CronJobs.Select(cron => (cron.Metadata.Name!, cron.Spec.JobTemplate.Spec))
            .Concat(Base.OfType<Job>().Select(job => (job.Metadata.Name!.Replace("-sharded", "", StringComparison.Ordinal), job.Spec)))
            .Select(job => (job.Item1, job.Item2, Catalogue.Find(job.Item1).MovesMoney));

    public static TheoryData<string> Files => [.. YamlFiles().Select(path => Path.GetRelativePath(Kubernetes, path))];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_file_has_only_fields_that_Kubernetes_knows(string file)
    {
        var text = File.ReadAllText(Path.Combine(Kubernetes, file));
        if (file.EndsWith("kustomization.yaml", StringComparison.Ordinal))
        {
            Assert.NotNull(StrictYaml.Read<Kustomization>(text));
        }
        else
        {
            Assert.NotEmpty(KubernetesObject.Read(text));
        }
    }

    [Theory]
    [InlineData("base/autopayment.yaml")]
    [InlineData("base/record-payment.yaml")]
    [InlineData("base/migrate.yaml")]
    [InlineData("base/network.yaml")]
    [InlineData("alerts/rules.yaml")]
    public void A_misspelt_field_is_found_wherever_it_is(string file)
    {
        var lines = File.ReadAllLines(Path.Combine(Kubernetes, file));
        var misspelt = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            // Labels, annotations and amounts have names of one's own choice.
            if (Key().Match(lines[i]) is not { Success: true } key || FreeNames().IsMatch(key.Groups["key"].Value))
            {
                continue;
            }

            var wrong = (string[])[.. lines[..i], key.Result("${before}${key}x:${after}"), .. lines[(i + 1)..]];
            var failure = Assert.ThrowsAny<Exception>(() => KubernetesObject.Read(string.Join('\n', wrong)));
            Assert.True(failure is YamlException or InvalidOperationException, $"{lines[i]}: {failure}");
            misspelt++;
        }

        Assert.InRange(misspelt, 10, 200);
    }

    [Theory]
    [InlineData("value: schedule", "value: true")]
    [InlineData("egress-https: \"true\"", "egress-https: true")]
    [InlineData("backoffLimit: 4", "backoffLimit: \"4\"")]
    [InlineData("activeDeadlineSeconds: 14520", "activeDeadlineSeconds: 4h")]
    [InlineData("  timeZone: Europe/Paris", "  timeZone: Europe/Paris\n  timeZone: Europe/Paris")]
    public void A_value_of_the_wrong_kind_is_found(string right, string wrong)
    {
        var text = File.ReadAllText(Path.Combine(Kubernetes, "base/autopayment.yaml"));
        Assert.Contains(right, text, StringComparison.Ordinal);
        Assert.ThrowsAny<YamlException>(() => KubernetesObject.Read(text.Replace(right, wrong, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_job_is_there_once_as_the_catalogue_has_it()
    {
        Assert.Equal(
            Catalogue.Jobs.Where(job => job.Kind != JobKind.Schema).Select(job => job.Name).Order(StringComparer.Ordinal),
            CronJobs.Select(cron => cron.Metadata.Name).Order(StringComparer.Ordinal));
        Assert.All(CronJobs, cron =>
        {
            var job = Catalogue.Find(cron.Metadata.Name!);
            Assert.Equal(job.Schedule is null, cron.Spec.Suspend);
            Assert.Equal("Europe/Paris", cron.Spec.TimeZone);
            if (job.Schedule is not null)
            {
                Assert.Equal(job.Schedule, cron.Spec.Schedule);
                Assert.Equal("Forbid", cron.Spec.ConcurrencyPolicy);
            }
        });
        Assert.Equal("migrate", Assert.Single(Base.OfType<Job>(), job => job.Spec.CompletionMode is null).Metadata.Name);
    }

    [Fact]
    public void A_late_start_is_bounded_and_never_makes_100_missed_runs() => Assert.All(CronJobs.Where(cron => !cron.Spec.Suspend), cron =>
    {
        var interval = Catalogue.Find(cron.Metadata.Name!).ExpectedInterval!.Value.TotalSeconds;
        // The controller looks every 10 s.
        Assert.InRange(cron.Spec.StartingDeadlineSeconds!.Value, 10, interval / 2);
        Assert.True(cron.Spec.StartingDeadlineSeconds / new CronSchedule(cron.Spec.Schedule).LongestPause.TotalSeconds < 100);
    });

    [Fact]
    public void A_run_is_ended_as_the_catalogue_says_with_time_to_finish_what_is_under_way() => Assert.All(Jobs, job =>
    {
        var (name, spec, _) = job;
        Assert.Equal((long)Catalogue.Find(name).Deadline.TotalSeconds, spec.ActiveDeadlineSeconds);
        Assert.True(spec.Template.Spec.TerminationGracePeriodSeconds > 10);
        // podFailurePolicy asks for it.
        Assert.Equal("Never", spec.Template.Spec.RestartPolicy);
        var rule = Assert.Single(spec.PodFailurePolicy!.Rules);
        Assert.Equal(("Ignore", "DisruptionTarget"), (rule.Action, Assert.Single(rule.OnPodConditions).Type));
        Assert.NotNull(spec.TtlSecondsAfterFinished);
    });

    [Fact]
    public void What_is_asked_for_on_demand_is_recorded_once_however_often_its_pod_starts() =>
        Assert.All(Jobs.Where(job => Catalogue.Find(job.Name).Kind == JobKind.OnDemand), job =>
        {
            Assert.Equal(0, job.Job.BackoffLimit);
            var reference = Assert.Single(job.Job.Template.Spec.Containers).Env.Single(variable => variable.Name == "JOBS_REFERENCE");
            Assert.Equal("metadata.labels['batch.kubernetes.io/job-name']", reference.ValueFrom?.FieldRef?.FieldPath);
        });

    [Fact]
    public void Every_pod_keeps_to_the_restricted_standard()
    {
        Assert.All(Jobs, job =>
        {
            var pod = job.Job.Template.Spec;
            Assert.True(pod.SecurityContext is { RunAsNonRoot: true, RunAsUser: 65532, SeccompProfile.Type: "RuntimeDefault" });
            Assert.False(pod.AutomountServiceAccountToken);
            var container = Assert.Single(pod.Containers);
            Assert.True(container.SecurityContext is { AllowPrivilegeEscalation: false, ReadOnlyRootFilesystem: true });
            Assert.Equal(["ALL"], container.SecurityContext.Capabilities!.Drop);
            Assert.Equal($"jobs/{job.Name}", container.Image);
            Assert.Equal($"{Catalogue.Find(job.Name).MemoryMiB}Mi", container.Resources.Limits["memory"]);
            Assert.Equal(("100m", "64Mi"), (container.Resources.Requests["cpu"], container.Resources.Requests["memory"]));
        });
        Assert.All(Base.OfType<Namespace>(), space => Assert.Equal("restricted", space.Metadata.Labels["pod-security.kubernetes.io/enforce"]));
    }

    [Fact]
    public void A_job_is_given_the_secrets_it_needs_as_files_and_no_other() => Assert.All(Jobs, job =>
    {
        var definition = Catalogue.Find(job.Name);
        var pod = job.Job.Template.Spec;
        var container = Assert.Single(pod.Containers);
        var volume = Assert.Single(pod.Volumes);
        var mount = Assert.Single(container.VolumeMounts);
        Assert.Equal(volume.Name, mount.Name);
        Assert.Equal(definition.Kind == JobKind.Schema ? "jobs-migrate" : "jobs", volume.Secret.SecretName);
        Assert.Equal(definition.Secrets, volume.Secret.Items.Select(item => item.Key));
        Assert.Equal(
            volume.Secret.Items.Select(item => ($"{item.Key}_FILE", (string?)$"{mount.MountPath}/{item.Path}")),
            container.Env.Where(variable => variable.Name.EndsWith("_FILE", StringComparison.Ordinal)).Select(variable => (variable.Name, variable.Value)));
        Assert.Equal(
            definition.OptionalSecrets.Select(name => (name, name, (bool?)true)),
            container.Env.Where(variable => variable.ValueFrom?.SecretKeyRef is not null)
                .Select(variable => (variable.Name, variable.ValueFrom!.SecretKeyRef!.Key, variable.ValueFrom.SecretKeyRef.Optional)));
        Assert.All(definition.OptionalSecrets, name => Assert.Contains(name, Settings.SecretNames));
    });

    [Fact]
    public void What_a_pod_refers_to_exists_and_its_labels_open_only_the_ways_it_needs()
    {
        var account = Assert.Single(Base.OfType<ServiceAccount>());
        Assert.False(account.AutomountServiceAccountToken);
        var policies = Base.OfType<NetworkPolicy>().ToList();
        Assert.All(policies, policy => Assert.Contains(Jobs, job => policy.Spec.PodSelector.Matches(job.Job.Template.Metadata.Labels)));
        Assert.All(Jobs, job =>
        {
            var template = job.Job.Template;
            Assert.Equal(account.Metadata.Name, template.Spec.ServiceAccountName);
            Assert.Equal("jobs", Assert.Single(Assert.Single(template.Spec.Containers).EnvFrom).ConfigMapRef.Name);
            var mine = policies.Where(policy => policy.Spec.PodSelector.Matches(template.Metadata.Labels)).ToList();
            Assert.Contains(mine, policy => policy.Spec.PolicyTypes.Contains("Ingress"));
            var definition = Catalogue.Find(job.Name);
            int[] ports =
            [
                53, 53, 5432,
                .. definition.Secrets.Concat(definition.OptionalSecrets).Any(name => name.StartsWith("STRIPE", StringComparison.Ordinal)
                    || name.StartsWith("SUMUP", StringComparison.Ordinal) || name.StartsWith("AWS", StringComparison.Ordinal)) ? [443] : Array.Empty<int>(),
                .. definition.OptionalSecrets.Contains("SMTP_URL") ? [465, 587] : Array.Empty<int>(),
            ];
            Assert.Equal(ports.Order(), mine.SelectMany(policy => policy.Spec.Egress).SelectMany(rule => rule.Ports).Select(port => port.Port).Order());
        });
    }

    [Fact]
    public void A_kustomization_names_files_that_exist_and_variables_that_the_jobs_read() => Assert.All(
        YamlFiles().Where(path => Path.GetFileName(path) == "kustomization.yaml"), path =>
        {
            var folder = Path.GetDirectoryName(path)!;
            var kustomization = StrictYaml.Read<Kustomization>(File.ReadAllText(path));
            Assert.All(kustomization.Resources.Concat(kustomization.Components), resource => Assert.True(Path.Exists(Path.Combine(folder, resource)), resource));
            if (kustomization.Kind == "Kustomization")
            {
                // And all that are there.
                Assert.Empty(Directory.GetFiles(folder, "*.yaml").Select(file => Path.GetFileName(file)).Except(kustomization.Resources).Except(["kustomization.yaml"]));
            }

            var example = File.ReadAllText(PostgresFixture.RepositoryFile(".env.example"));
            Assert.All(kustomization.ConfigMapGenerator.SelectMany(map => map.Literals), literal =>
                Assert.Matches($"(?m)^#?{literal.Split('=')[0]}=", example));
            Assert.All(kustomization.SecretGenerator.SelectMany(secret => secret.Literals), literal =>
                Assert.Contains(literal.Split('=')[0], Settings.SecretNames));
        });

    [Fact]
    public void The_example_of_shards_has_as_many_completions_as_shards()
    {
        var spec = Assert.Single(Base.OfType<Job>(), job => job.Spec.CompletionMode == "Indexed").Spec;
        Assert.Equal(spec.Completions, spec.Parallelism);
        Assert.Equal(spec.Completions.ToString(), Assert.Single(spec.Template.Spec.Containers).Env.Single(variable => variable.Name == "JOB_SHARDS").Value);
    }

    [Theory]
    [InlineData("production", "jobs", "registry.example.org/jobs/", ":0.1.0")]
    [InlineData("dev", "jobs-dev", "jobs/", ":latest")]
    public async Task An_overlay_is_built_by_kubectl_with_its_images_in_its_namespace(string overlay, string space, string before, string after)
    {
        var objects = KubernetesObject.Read(await KustomizeAsync(Path.Combine(Kubernetes, "overlays", overlay)));
        Assert.All(objects.Where(o => o is not Namespace), o => Assert.Equal(space, o.Metadata.Namespace));
        Assert.Equal(space, Assert.Single(objects.OfType<Namespace>()).Metadata.Name);
        var images = objects.OfType<CronJob>().Select(cron => (cron.Metadata.Name!, cron.Spec.JobTemplate.Spec))
            .Concat(objects.OfType<Job>().Select(job => ("migrate", job.Spec)))
            .ToDictionary(job => job.Item1, job => Assert.Single(job.Spec.Template.Spec.Containers).Image, StringComparer.Ordinal);
        Assert.Equal(Catalogue.Jobs.Select(job => job.Name).ToHashSet(), images.Keys.ToHashSet());
        Assert.All(images, image => Assert.Equal($"{before}{image.Key}{after}", image.Value));
        Assert.Equal($"migrate-{after[1..]}", Assert.Single(objects.OfType<Job>()).Metadata.Name);
        Assert.Equal(overlay == "production" ? "production" : "development", Assert.Single(objects.OfType<ConfigMap>()).Data["APP_ENV"]);
        Assert.Equal(overlay == "dev", objects.OfType<CronJob>().All(cron => cron.Spec.Suspend));
    }

    [Fact]
    public async Task A_job_that_is_new_in_the_catalogue_comes_to_the_cluster_without_an_edit()
    {
        using var copy = new Folder();
        foreach (var path in YamlFiles())
        {
            copy.Write(Path.GetRelativePath(Kubernetes, path), File.ReadAllText(path));
        }

        foreach (var file in Render.Kubernetes.Files([.. Catalogue.Jobs, Unheard], "Europe/Lisbon"))
        {
            copy.Write(Path.GetRelativePath(Render.Kubernetes.Place, file.Path), file.Text);
        }

        var own = Assert.IsType<CronJob>(Assert.Single(KubernetesObject.Read(File.ReadAllText(Path.Combine(copy.Path, "base/feed-the-cat.yaml")))));
        Assert.Equal(("7 7 * * 1-5", "Europe/Lisbon", 21_600), (own.Spec.Schedule, own.Spec.TimeZone, own.Spec.StartingDeadlineSeconds));
        Assert.Equal(Unheard.Summary, own.Metadata.Annotations["kubernetes.io/description"]);
        Assert.Equal(300, own.Spec.JobTemplate.Spec.ActiveDeadlineSeconds);
        Assert.Contains("cronjob=\"feed-the-cat\"", File.ReadAllText(Path.Combine(copy.Path, "alerts/rules.yaml")), StringComparison.Ordinal);
        var cron = KubernetesObject.Read(await KustomizeAsync(Path.Combine(copy.Path, "overlays/production"))).OfType<CronJob>().Single(c => c.Metadata.Name == "feed-the-cat");
        Assert.Equal("registry.example.org/jobs/feed-the-cat:0.1.0", Assert.Single(cron.Spec.JobTemplate.Spec.Template.Spec.Containers).Image);
        Assert.Equal("Europe/Lisbon", cron.Spec.TimeZone);
    }

    /// <summary>What kubectl makes of a folder; skipped where there is none that can.</summary>
    private static async Task<string> KustomizeAsync(string folder)
    {
        const string Otherwise = "the overlays are read strictly, but not built";
        var kubectl = Shell.Find("kubectl");
        Assert.SkipWhen(kubectl is null, $"kubectl is not installed: {Otherwise}");
        var version = await Shell.RunAsync(kubectl!, ["version", "--client"]);
        // Replacements came with Kustomize 4.2; before 5 it was not told which there is.
        Assert.SkipUnless(version.Stdout.Contains("Kustomize Version: v5", StringComparison.Ordinal), $"kubectl is older than 1.27: {Otherwise}");
        var built = await Shell.RunAsync(kubectl!, ["kustomize", folder]);
        Assert.True(built.ExitCode == 0, built.ToString());
        return built.Stdout;
    }

    private static IEnumerable<string> YamlFiles() => Directory.EnumerateFiles(Kubernetes, "*.yaml", SearchOption.AllDirectories).Order(StringComparer.Ordinal);

    private static List<KubernetesObject> Objects(params string[] folders) =>
        [.. YamlFiles().Where(path => folders.Contains(Path.GetRelativePath(Kubernetes, path).Split('/')[0]) && !path.EndsWith("kustomization.yaml", StringComparison.Ordinal))
            .SelectMany(path => KubernetesObject.Read(File.ReadAllText(path)))];

    [GeneratedRegex(@"^(?<before>[ -]*)(?<key>[a-zA-Z]+):(?<after>.*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Key();

    [GeneratedRegex("^(cpu|memory|severity|summary|runbook|cronjob)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FreeNames();
}
