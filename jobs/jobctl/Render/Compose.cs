using Jobs.Runs;

namespace Jobs.Render;

/// <summary>
/// docker/compose.yaml: PostgreSQL, the fakes and every job on one machine. `up` brings what the jobs need; a job is run by
/// `docker compose run --rm`. The fakes listen on loopback only, so the jobs share their network.
/// </summary>
internal static class Compose
{
    public const string Place = "compose.yaml";

    public static IEnumerable<RenderedFile> Files(IReadOnlyList<JobDefinition> jobs, string zone) => [new(Place, Text(jobs, zone))];

    private static string Text(IReadOnlyList<JobDefinition> jobs, string zone) => $$$"""
        # {{{RenderedFile.Mark}}}: change that, then `make render`. Variables are in compose.env.
        #
        #   docker compose -f docker/compose.yaml run --rm seed
        #   docker compose -f docker/compose.yaml run --rm autopayment
        #
        # The first puts a small business into the empty database, the second charges its due subscriptions. Each starts what it needs
        # before it: PostgreSQL, migrate, the grants, the fakes of Stripe and SumUp and a mail server that keeps the mails. Secrets are
        # files of JOBS_SECRETS, a folder; the one in here holds fakes.
        #
        #   docker compose -f docker/compose.yaml --profile scheduler up
        #
        # starts every job when it is due, from one image with all of them. It has all their secrets; beside it, cron, systemd and
        # Kubernetes give each job its own.

        x-fakes: &fakes
          image: ${IMAGE_PREFIX:-jobs}/fakes:${TAG:-latest}
          # Built here: an image of this name in a public registry is somebody else's.
          pull_policy: never
          build:
            context: ..
            dockerfile: docker/fakes.Dockerfile

        x-job: &job
          depends_on:
            grants:
              condition: service_completed_successfully
            fake-stripe:
              condition: service_healthy
            fake-sumup:
              condition: service_healthy
            mail:
              condition: service_healthy
          # The fakes are on its loopback, and on no other network.
          network_mode: service:fake-stripe
          env_file:
            - compose.env
          # Within 10 s of SIGTERM a run ends by itself.
          stop_grace_period: 15s
          user: "65532:65532"
          read_only: true
          cap_drop:
            - ALL
          security_opt:
            - no-new-privileges:true

        services:
          postgres:
            image: postgres:17
            environment:
              POSTGRES_USER: owner
              POSTGRES_PASSWORD_FILE: /run/secrets/POSTGRES_PASSWORD
              POSTGRES_DB: billing
            secrets:
              - POSTGRES_PASSWORD
            volumes:
              - postgres:/var/lib/postgresql/data
            healthcheck:
              # By TCP: while it is being set up, it listens on its socket only.
              test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "owner", "-d", "billing"]
              interval: 2s
              timeout: 5s
              retries: 60
        {{{string.Join('\n', jobs.Where(job => job.Kind == JobKind.Schema).Select(Schema)).Indent(2)}}}
          # The role of all other jobs: it reads and writes rows, no more.
          grants:
            image: postgres:17
            depends_on:
              migrate:
                condition: service_completed_successfully
            # And the folder of the backups, which is made as root's.
            entrypoint: ["sh", "-c", "chown 65532:65532 /backups && psql -q -v ON_ERROR_STOP=1 -f /grants.sql -f /login.sql \"$$(cat /run/secrets/OWNER_DATABASE_URL)\""]
            secrets:
              - OWNER_DATABASE_URL
            volumes:
              - ../migrations/grants.sql:/grants.sql:ro
              - ./compose-login.sql:/login.sql:ro
              - backups:/backups
          # A small business to try the jobs on. It is seeded only when somebody says `run --rm seed`, and only into an empty database.
          seed:
            image: postgres:17
            profiles:
              - seed
            depends_on:
              grants:
                condition: service_completed_successfully
            entrypoint: ["sh", "-c", "psql -qX -v ON_ERROR_STOP=1 -f /seed.sql \"$$(cat /run/secrets/OWNER_DATABASE_URL)\""]
            secrets:
              - OWNER_DATABASE_URL
            volumes:
              - ./compose-seed.sql:/seed.sql:ro
          # It knows the customers and cards of the seeded business from its start, and after every restart.
          fake-stripe:
            <<: *fakes
            command: ["/fakes/fake-stripe/fake-stripe.dll", "--port", "12111", "--seed-file", "/seed.json"]
            volumes:
              - ./compose-seed.json:/seed.json:ro
        {{{Listens(12111).Indent(4)}}}
          fake-sumup:
            <<: *fakes
            network_mode: service:fake-stripe
            command: ["/fakes/fake-sumup/fake-sumup.dll", "--port", "12112", "--merchant", "MDESK:sup_sk_not_a_secret", "--reader", "SOLO-1:Desk"]
        {{{Listens(12112).Indent(4)}}}
          mail:
            <<: *fakes
            network_mode: service:fake-stripe
            command: ["/fakes/fake-smtp/fake-smtp.dll", "--port", "2525", "--dir", "/mails"]
            volumes:
              - mails:/mails
        {{{Listens(2525).Indent(4)}}}
        {{{string.Join('\n', jobs.Where(job => job.Kind != JobKind.Schema).Select(job => Job(job, zone))).Indent(2)}}}
          scheduler:
            <<: *job
            profiles:
              - scheduler
            image: ${IMAGE_PREFIX:-jobs}/scheduler:${TAG:-latest}
            pull_policy: never
            build:
              context: ..
              dockerfile: docker/Dockerfile
              args:
                JOB: scheduler
            command: ["scheduler"]
            restart: unless-stopped
            mem_limit: 1g
            volumes:
              - backups:/backups
            environment:
              JOBS_TIME_ZONE: {{{zone}}}
        {{{string.Join('\n', JobSecrets(jobs).Select(name => $"{name}_FILE: /run/secrets/{name}")).Indent(6)}}}
            secrets:
        {{{string.Join('\n', JobSecrets(jobs).Select(name => $"- {name}")).Indent(6)}}}

        secrets:
        {{{string.Join('\n', Secrets(jobs).Select(name => $"{name}:\n  file: ${{JOBS_SECRETS:-./compose-secrets}}/{name}")).Indent(2)}}}

        volumes:
          postgres: {}
          mails: {}
          backups: {}

        """;

    private static IEnumerable<string> Secrets(IReadOnlyList<JobDefinition> jobs) =>
        JobSecrets(jobs).Prepend("OWNER_DATABASE_URL").Prepend("POSTGRES_PASSWORD");

    private static IEnumerable<string> JobSecrets(IReadOnlyList<JobDefinition> jobs) => jobs.SelectMany(job => job.Secrets).Distinct(StringComparer.Ordinal);

    /// <summary>A job that starts before a fake listens would put a mail off for minutes. The fakes' image has bash, not curl.</summary>
    private static string Listens(int port) => $"""
        healthcheck:
          test: ["CMD", "bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/{port}"]
          interval: 2s
          timeout: 5s
          retries: 60
        """;

    private static string Schema(JobDefinition job) => $"""
        {job.Name}:
        {Image(job).Indent(2)}
          depends_on:
            postgres:
              condition: service_healthy
          environment:
            DATABASE_URL_FILE: /run/secrets/OWNER_DATABASE_URL
          secrets:
            - OWNER_DATABASE_URL
        """;

    private static string Job(JobDefinition job, string zone) => $"""
        {job.Name}:
          <<: *job
          profiles:
            - jobs
        {Image(job).Indent(2)}
          mem_limit: {job.MemoryMiB}m
          environment:
            JOBS_TIME_ZONE: {zone}
        {string.Join('\n', job.Secrets.Select(name => $"{name}_FILE: /run/secrets/{name}")).Indent(4)}
          secrets:
        {string.Join('\n', job.Secrets.Select(name => $"- {name}")).Indent(4)}{Volumes(job)}
        """;

    private static string Volumes(JobDefinition job) => job.Needs.Contains("BACKUP_URL") ? "\n  volumes:\n    - backups:/backups" : "";

    private static string Image(JobDefinition job) => $$"""
        image: ${IMAGE_PREFIX:-jobs}/{{job.Name}}:${TAG:-latest}
        pull_policy: never
        build:
          context: ..
          dockerfile: docker/Dockerfile
          args:
            JOB: {{job.Name}}
        """;
}
