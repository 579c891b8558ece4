#!/usr/bin/env bash
# A container engine for as long as it is needed: engine.sh start | bases [image...] | compose | stop
# The one that answers is used, and left alone. Else Docker comes from the distribution's packages (as root) and is started
# here, on its socket only; `stop` ends what `start` started. `bases` pulls images that are not there; where none can be pulled,
# the script that JOBS_BASE_IMAGES_SCRIPT names makes stand-ins. `compose` prints the command of the Compose that is there.
# Exit 2: it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=artifacts/engine

start() {
    if docker info > /dev/null 2>&1; then return; fi
    if [ "$(id -u)" != 0 ]; then
        echo "no container engine answers and only root could start one: start Docker, or run this as root" >&2
        return 2
    fi
    if ! command -v dockerd > /dev/null; then
        command -v apt-get > /dev/null || { echo "no container engine answers: install Docker" >&2; return 2; }
        apt-get update -qq > /dev/null 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io > /dev/null 2>&1 \
            || { echo "Docker cannot be installed: apt-get install docker.io says why" >&2; return 2; }
        # In newer releases the client is a package of its own.
        command -v docker > /dev/null || apt-get install -y -qq docker-cli > /dev/null 2>&1 || true
        # Where services start with their packages, it runs by now.
        if docker info > /dev/null 2>&1; then return; fi
    fi
    mkdir -p "$folder"
    setsid dockerd > "$folder/log" 2>&1 < /dev/null &
    echo $! > "$folder/pid"
    for _ in $(seq 150); do
        if docker info > /dev/null 2>&1; then return; fi
        kill -0 "$(cat "$folder/pid")" 2> /dev/null || break
        sleep 0.2
    done
    echo "dockerd does not run here: $(tail -n 1 "$folder/log")" >&2
    stop
    return 2
}

bases() {
    [ $# -gt 0 ] || set -- mcr.microsoft.com/dotnet/sdk:10.0 mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled postgres:17
    local image
    for image in "$@"; do
        if docker image inspect "$image" > /dev/null 2>&1 || timeout 900 docker pull -q "$image" > /dev/null 2>&1; then continue; fi
        if [ -z "${JOBS_BASE_IMAGES_SCRIPT:-}" ]; then
            echo "$image cannot be pulled" >&2
            return 2
        fi
        echo "$image cannot be pulled: stand-ins are made" >&2
        mkdir -p "$folder"
        bash "$JOBS_BASE_IMAGES_SCRIPT" > "$folder/bases.log" 2>&1 || { tail -n 3 "$folder/bases.log" >&2; return 2; }
        return
    done
}

compose() {
    if docker compose version > /dev/null 2>&1; then echo "docker compose"; return; fi
    if ! command -v docker-compose > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-compose; } > /dev/null 2>&1 || true
    fi
    command -v docker-compose > /dev/null || { echo "there is no Compose: install Docker's plugin, or docker-compose" >&2; return 2; }
    echo docker-compose
}

stop() {
    [ -f "$folder/pid" ] || return 0
    pid=$(cat "$folder/pid")
    rm "$folder/pid"
    kill "$pid" 2> /dev/null || return 0
    while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
}

case ${1:-} in
    start | bases | compose | stop) "$@" ;;
    *) echo "engine.sh start | bases [image...] | compose | stop" >&2; exit 1 ;;
esac
