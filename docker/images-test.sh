#!/usr/bin/env bash
# Builds every image and runs every job from it the way it is meant to be run: as nobody, without rights, on a read-only root
# file system, in 128 MB. PostgreSQL and the fake providers share the loopback of one "pod" that has no other network.
#   images-test.sh         all that an image promises; DUE=100000 subscriptions are due when autopayment starts
#   images-test.sh start   CI's part: every image is built and starts, and every job has one run with little or nothing to do
# Leaves the published jobs of the images in artifacts, for the tests, and what was printed in artifacts/images-test. Exit 1: a check
# failed; 2: nothing was tried, for there is no engine or no base image.
set -euo pipefail
cd "$(dirname "$0")/.."

export SDK_IMAGE=${SDK_IMAGE:-mcr.microsoft.com/dotnet/sdk:10.0}
export RUNTIME_IMAGE=${RUNTIME_IMAGE:-mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled}
export POSTGRES_IMAGE=${POSTGRES_IMAGE:-postgres:17}
postgres_image=$POSTGRES_IMAGE
case ${1:-} in
    start) due=0 ;;
    '') due=${DUE:-200} ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 1 ;;
esac
part=${1:-all}
prefix=${IMAGE_PREFIX:-jobs}
pod=images-test-$$
work=$PWD/artifacts/images-test
failed=0
started=$SECONDS
engine=found
docker info > /dev/null 2>&1 || engine=started

cleanup() {
    { docker ps -aq --filter "label=pod=$pod" | xargs -r docker rm -fv; } > /dev/null 2>&1 || true
    [ "$engine" = found ] || docker/engine.sh stop
}
trap cleanup EXIT

say() { printf '%4d s  %s\n' $((SECONDS - started)) "$*"; }
check() { # check <what must hold> <command...>
    local what=$1
    shift
    if "$@"; then say "ok: $what"; else say "FAILED: $what"; failed=1; fi
}

# --- what it takes: an engine, base images, the images

docker/engine.sh start
docker/engine.sh bases "$SDK_IMAGE" "$RUNTIME_IMAGE" "$postgres_image"
rm -rf "$work"
mkdir -p "$work/secrets" "$work/backups"
chmod 777 "$work/backups"
begun=$SECONDS
docker/images.sh build > /dev/null
say "the $(docker/images.sh names | wc -l) images of the jobs are built: $((SECONDS - begun)) s"
begun=$SECONDS
docker/images.sh publish
docker/images.sh fakes > /dev/null
say "the fakes' image is built, the published jobs lie in artifacts/jobs: $((SECONDS - begun)) s"
begun=$SECONDS
check "every image is small, and all are one common layer" docker/images.sh size

# --- the pod

in_pod() { docker run --label "pod=$pod" --network "container:$pod" "$@"; }
sql() { docker exec -i "$pod" psql -h 127.0.0.1 -U postgres -d billing -qAtX -v ON_ERROR_STOP=1 "$@"; }
post() { # post <port> <path> <json>
    docker exec -i "$pod" bash -c 'exec 3<> "/dev/tcp/127.0.0.1/$0"
        printf "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" "$1" "${#2}" "$2" >&3
        read -r -u 3 _ status _ && [ "$status" = 200 ]' "$@"
}
until_it() { for _ in $(seq 300); do if "$@" > /dev/null 2>&1; then return; fi; sleep 0.2; done; echo "in vain: $*" >&2; return 1; }

docker run -d --label "pod=$pod" --name "$pod" --network none -e POSTGRES_PASSWORD=owner -e POSTGRES_DB=billing -e POSTGRES_HOST_AUTH_METHOD=trust -e POSTGRES_INITDB_ARGS=--no-sync \
    "$postgres_image" postgres -c listen_addresses=127.0.0.1 -c fsync=off > /dev/null
fake() { in_pod -d --name "$pod-$1" --memory 512m "$prefix/fakes" "/fakes/$1/$1.dll" "${@:2}" > /dev/null; }
fake fake-stripe --port 12111 --rate 0
fake fake-sumup --port 12112 --merchant MDESK:sup_sk_desk --reader SOLO-1:Desk
fake fake-smtp --port 2525

echo 'postgresql://postgres:owner@127.0.0.1:5432/billing' > "$work/secrets/owner"
echo 'postgresql://billing:secret@127.0.0.1:5432/billing' > "$work/secrets/billing"
echo 'postgresql://backup:secret@127.0.0.1:5432/billing' > "$work/secrets/backup"
echo 'sk_test_images' > "$work/secrets/stripe"
chmod -R a+rX "$work"

# run <name of the run> <engine's options...> <job> -- <arguments>: its exit code; stdout, stderr and state are kept under the name.
tight=(--read-only --user 65532 --memory 128m --cap-drop ALL --security-opt no-new-privileges)
environment=(
    -v "$work/secrets:/run/secrets:ro" -e DATABASE_URL_FILE=/run/secrets/billing -e STRIPE_SECRET_KEY_FILE=/run/secrets/stripe
    -e STRIPE_API_BASE=http://127.0.0.1:12111 -e APP_ENV=development -e STAFF_EMAIL=staff@example.test
    -e SUMUP_API_BASE=http://127.0.0.1:12112 -e SUMUP_API_KEY=sup_sk_desk -e SUMUP_MERCHANT_CODE=MDESK -e SUMUP_AFFILIATE_KEY=any -e SUMUP_APP_ID=any
    -e SMTP_URL=smtp://127.0.0.1:2525 -e "MAIL_FROM=Club <office@example.test>" -e "PAYMENT_ACTION_URL=https://example.test/{payment_id}")
run() {
    local name=$1 options=()
    shift
    while [ "$2" != -- ]; do options+=("$1"); shift; done
    local job=$1
    shift 2
    in_pod --name "$pod-$name" "${tight[@]}" "${environment[@]}" ${options[@]+"${options[@]}"} "$prefix/$job" "$@" > "$work/$name.out" 2> "$work/$name.err"
}
one_line() { [ "$(wc -l < "$1")" = 1 ]; }
state() { docker inspect -f "{{.State.$2}}" "$pod-$1"; }

# succeeds <job> <arguments...>: exit 0, and one object with the result on stdout.
succeeds() {
    local job=$1 options=(--cpus 0.5)
    shift
    [ "$job" != migrate ] || options+=(-e DATABASE_URL_FILE=/run/secrets/owner)
    [ "$job" != backup-database ] || options+=(--memory 256m -v "$work/backups:/backups" -e BACKUP_URL=file:///backups -e BACKUP_DATABASE_URL_FILE=/run/secrets/backup)
    if run "$job" "${options[@]}" "$job" -- "$@" --output json && one_line "$work/$job.out" \
        && { [ "$job" = jobctl ] || grep -qE "^\{\"job\":\"$job\",.*\"status\":\"(succeeded|skipped)\"" "$work/$job.out"; }; then return; fi
    head -c 2000 "$work/$job.out" "$work/$job.err"
    return 1
}

until_it docker exec "$pod" pg_isready -q -h 127.0.0.1
check "migrate" succeeds migrate
sql < migrations/grants.sql
sql << SQL
CREATE ROLE billing LOGIN PASSWORD 'secret' IN ROLE jobs;
CREATE ROLE backup LOGIN PASSWORD 'secret' CREATEDB IN ROLE jobs_backup;
INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1500);
INSERT INTO users (email, role, provider_customer_id, default_payment_method_id)
SELECT 'u' || n || '@example.test', CASE n WHEN 1 THEN 'admin' ELSE 'member' END, 'cus_' || n, 'pm_' || n FROM generate_series(1, greatest($due, 3)) AS n;
INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
SELECT n, 1, 'active', now() - interval '32 days', now() - interval '30 hours' + n * interval '1 millisecond', true FROM generate_series(1, $due) AS n;
INSERT INTO sessions (updated_at) VALUES (now() - interval '15 days');
ANALYZE;
SQL
listens() { docker exec "$pod" bash -c 'exec 3<> "/dev/tcp/127.0.0.1/$0"' "$1"; }
for port in 12111 12112 2525; do until_it listens $port; done
[ "$due" = 0 ] || post 12111 /_fake/seed "{\"customers\":[{\"id\":\"cus_{n}\",\"payment_methods\":[{\"id\":\"pm_{n}\"}],\"repeat\":$due}]}"

if [ $part = all ]; then

# --- one container that starts jobs on time: of one job, and looked at in the end

docker run -d --label "pod=$pod" --network "container:$pod" --name "$pod-scheduler" "${tight[@]}" "${environment[@]}" "$prefix/scheduler" scheduler send-notifications > /dev/null

# --- a run that is stopped while it charges

stops() {
    run stopped --cpus 0.5 autopayment -- --max-charges "$due" --output json &
    until_it eval '[ "$(sql -c "SELECT count(*) FROM payments WHERE status = '\''succeeded'\''")" -ge 5 ]' || true
    docker stop -t 10 "$pod-stopped" > /dev/null
    wait $! || true
    [ "$(state stopped ExitCode)" = 1 ] && one_line "$work/stopped.out" && grep -q '"status":"interrupted"' "$work/stopped.out"
}

check "SIGTERM while autopayment charges: interrupted within 10 s, exit 1" stops

fi

# --- every job

arguments() {
    case $1 in
        autopayment) [ "$due" = 0 ] || echo "--limit 20 --max-charges $due" ;;
        record-payment) echo "--user 2 --amount 1 --currency eur --method cash --purpose membership --membership-type basic --recorded-by 1 --reference till-1" ;;
        grant-membership) echo "--user 3 --type basic --recorded-by 1 --reference board-1" ;;
        fallback-mode) echo "--show" ;;
        jobctl) echo "dashboard" ;;
    esac
}
for job in $(find jobs -name '*.csproj' | sed 's|.*/||; s|\.csproj$||' | sort); do
    check "$job" succeeds "$job" $(arguments "$job")
done

say "every job had its run: $((SECONDS - begun)) s"

if [ $part = start ]; then
    begun=$SECONDS
    tell() { timeout 60 docker run --rm --label "pod=$pod" --network none --read-only "$1" --version | grep -q '^[0-9]' || echo "$1"; }
    export -f tell
    export pod
    mute=$(docker/images.sh names | xargs -P 4 -I '{}' bash -c 'tell {}')
    [ -z "$mute" ] || { say "FAILED: no version from" $mute; failed=1; }
    say "every image told its version: $((SECONDS - begun)) s"
    [ $failed = 0 ] && say "every image starts" || { say "NOT every image starts: see above"; exit 1; }
    exit
fi

# --- what else an image promises

strict() { # every line on both sides is a JSON object, as PostgreSQL reads it
    sql -c 'CREATE TABLE printed (line jsonb)'
    cat "$work"/*.out "$work"/*.err | sql -c "\\copy printed FROM pstdin (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')"
    [ "$(sql -c "SELECT count(*) FROM printed WHERE jsonb_typeof(line) <> 'object'")" = 0 ]
}
check "stdout and stderr carry JSON objects, nothing else" strict

refuses() { ! run refused autopayment -- --no-such-option && [ "$(state refused ExitCode)" = 1 ] && one_line "$work/refused.err" && [ ! -s "$work/refused.out" ]; }
check "a mistake is one line on stderr and exit 1" refuses

helps() { run help autopayment -- --help && grep -q -- --max-charges "$work/help.out"; }
check "--help" helps

plain() { docker run --rm --label "pod=$pod" --network "container:$pod" "${environment[@]}" -e JOBS_TIME_ZONE=Pacific/Auckland "$prefix/daily-stats" > "$work/plain.out" 2> "$work/plain.err"; }
check "as the image's own user, in a time zone far away" plain

nobody() { [ "$(docker image inspect -f '{{.Config.User}}' $(docker/images.sh names) | sort -u)" = 1654:1654 ]; }
check "no image runs as root" nobody

no_shell() { ! docker run --rm --label "pod=$pod" --network none --entrypoint /bin/sh "$prefix/autopayment" -c true > /dev/null 2>&1; }
check "no image has a shell" no_shell

on_time() {
    until_it eval '[ "$(sql -c "SELECT count(*) FROM job_runs WHERE job = '\''send-notifications'\'' AND trigger = '\''schedule'\''")" -ge 1 ]' \
        && docker stop -t 10 "$pod-scheduler" > /dev/null && [ "$(state scheduler ExitCode)" = 0 ]
}
check "the scheduler starts a job at its minute, and ends when it is told to" on_time

in_bounds() { ! docker ps -aq --filter "label=pod=$pod" | xargs docker inspect -f '{{.State.OOMKilled}}' | grep -q true; }
check "128 MB were enough" in_bounds

# --- figures

walls=()
for n in 1 2 3; do
    run "idle$n" --cpus 0.1 expire-subscriptions -- --output json
    walls+=($((($(date -d "$(state "idle$n" FinishedAt)" +%s%N) - $(date -d "$(state "idle$n" StartedAt)" +%s%N)) / 1000000)))
done
say "expire-subscriptions with nothing to do, a tenth of a CPU and 128 MB: ${walls[*]} ms"

[ $failed = 0 ] && say "the images hold what they promise" || { say "the images do NOT hold what they promise"; exit 1; }
