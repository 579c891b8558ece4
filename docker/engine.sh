#!/usr/bin/env bash
# A container engine for as long as it is needed: engine.sh start | stop
# The one that answers is used, and left alone. Else Docker comes from the distribution's packages (as root) and is started
# here, on its socket only; `stop` ends what `start` started. Exit 2: there is none to be had.
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

stop() {
    [ -f "$folder/pid" ] || return 0
    pid=$(cat "$folder/pid")
    rm "$folder/pid"
    kill "$pid" 2> /dev/null || return 0
    while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
}

case ${1:-} in
    start | stop) "$1" ;;
    *) echo "engine.sh start | stop" >&2; exit 1 ;;
esac
