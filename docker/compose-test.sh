#!/usr/bin/env bash
# Tries README's Compose section in the order in which it stands there, with the Compose that is installed, or COMPOSE="docker compose":
# the images build, the business is seeded once, autopayment charges the due ones once, record-payment prints a receipt's number, mails arrive.
# What was printed is kept in artifacts/compose-test. Exit 1: something is not as README says; 2: nothing was tried, and why.
set -euo pipefail
cd "$(dirname "$0")/.."

readme=README.md
work=$PWD/artifacts/compose-test
# Its own names: neither the images nor the volumes of a developer who uses compose.yaml are touched.
export IMAGE_PREFIX=jobs-compose-test TAG=latest
project=jobs-compose-test
started=$SECONDS
engine=found
docker info > /dev/null 2>&1 || engine=started

say() { printf '%4d s  %s\n' $((SECONDS - started)) "$*"; }
compose() { $command -p $project -f docker/compose.yaml "$@"; }
cleanup() {
    status=$?
    [ $status = 0 ] || [ $status = 2 ] || say "Compose does NOT work as $readme says: the lines above say where, $work has all that was printed"
    if [ -n "${command:-}" ]; then compose --profile jobs --profile scheduler --profile seed down --volumes > "$work/down.err" 2>&1 || true; fi
    [ "$engine" = found ] || docker/engine.sh stop
    exit $status
}
trap cleanup EXIT
fail() {
    say "FAILED: $1"
    tail -n 15 "$work/${2:-$step}.out" "$work/${2:-$step}.err" 2> /dev/null || true
    exit 1
}

docker/engine.sh start
docker/engine.sh bases
command=${COMPOSE:-$(docker/engine.sh compose)}
# The builder before BuildKit where Docker has no other.
docker buildx version > /dev/null 2>&1 || export DOCKER_BUILDKIT=0
rm -rf "$work"
mkdir -p "$work"
say "$($command version --short 2> /dev/null | sed "s/^/$command /"), Docker $(docker version -f '{{.Server.Version}}')"

# README's commands, with lines that end in a backslash joined and comments cut off.
mapfile -t lines < <(sed -n '/^## Compose/,/^## [^C]/p' $readme | sed -e ':a' -e '/\\$/{N;s/ *\\\n */ /;ba' -e '}' | sed -n 's/ *#.*//; s/^    docker compose -f docker\/compose.yaml //p')
[ ${#lines[@]} -ge 6 ] || { step=readme; fail "$readme shows fewer commands for Compose than are known: ${lines[*]}"; }

step=build
begun=$SECONDS
compose build fake-stripe migrate $(printf '%s\n' "${lines[@]}" | sed -n 's/^run --rm \([a-z-]*\).*/\1/p' | grep -vx seed | sort -u) > "$work/build.out" 2> "$work/build.err" \
    || fail "the images do not build"
say "built: $((SECONDS - begun)) s"

sql() { compose exec -T postgres psql -U owner -d billing -qAtX -c "$1" < /dev/null 2>> "$work/sql.err"; }
charged() { compose exec -T fake-stripe bash -c 'exec 3<> /dev/tcp/127.0.0.1/12111
    printf "GET /_fake/ledger HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3; cat <&3' < /dev/null 2>> "$work/sql.err" | grep -o '"count":[0-9]*' | head -n 1 | cut -d: -f2; }
expect() { [ "$2" = "$3" ] || fail "$1: $3 expected, not '$2'"; }

payments=0
number=0
for line in "${lines[@]}"; do
    read -ra words <<< "$line"
    case $line in
        *" up") continue ;;         # The scheduler: it starts jobs by the clock.
        down*) continue ;;          # At the end, by the trap.
        exec\ *) words=(exec -T "${words[@]:1}") ;;
    esac
    number=$((number + 1))
    step=$number-${words[2]}
    begun=$SECONDS
    compose "${words[@]}" < /dev/null > "$work/$step.out" 2> "$work/$step.err" || fail "$command -f docker/compose.yaml $line"
    case $line in
        "run --rm seed"*)
            expect "people in the database" "$(sql 'SELECT count(*) FROM users')" 9
            compose run --rm seed < /dev/null > "$work/seed-again.out" 2> "$work/seed-again.err" || fail "seeded again" seed-again
            expect "people in the database when it is seeded again" "$(sql 'SELECT count(*) FROM users')" 9 ;;
        "run --rm autopayment"*)
            # Two cards of the four are refused. The second run finds nobody left to charge.
            expect "payments charged at the fake Stripe" "$(charged)" 2
            expect "charged payments in the database" "$(sql "SELECT count(*) FROM payments WHERE status = 'succeeded' AND provider = 'stripe'")" 2
            payments=$((payments + 1)) ;;
        "run --rm record-payment"*)
            grep -qE 'receipt[ _]number"?[ :]+"?[0-9]{4}-[0-9]{6}' "$work/$step.out" || fail "record-payment prints no receipt's number" ;;
        exec*ls*)
            mails=$(wc -l < "$work/$step.out")
            [ "$mails" -gt 0 ] && [ "$mails" = "$(sql "SELECT count(*) FROM notifications WHERE status = 'sent'")" ] || fail "not every mail that was sent is in the mail server's volume" ;;
    esac
    say "ok, $((SECONDS - begun)) s: $line"
done
[ $payments -ge 2 ] || { step=readme; fail "$readme does not show that a second run of autopayment charges nobody"; }

step=down
compose --profile jobs --profile scheduler --profile seed down --volumes > "$work/down.out" 2> "$work/down.err" || fail "down --volumes"
left=$(docker volume ls -q --filter "label=com.docker.compose.project=$project" && docker ps -aq --filter "label=com.docker.compose.project=$project")
[ -z "$left" ] || fail "down --volumes leaves something behind: $left"
say "Compose works as $readme says"
