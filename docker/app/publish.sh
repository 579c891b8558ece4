#!/bin/sh
# Publishes all jobs at once, compiled ahead of time: artifacts/app holds one program and a link to it under each job's name;
# artifacts/jobs/<job>/<job> leads there. What the images contain is this folder.
set -eu
cd "$(dirname "$0")/../.."
app=artifacts/app
stamp=$app/.published

# Nothing to do when no source is newer than the last publish.
if [ -f "$stamp" ] && [ -z "$(find core jobs migrations docker/app Directory.Build.props Directory.Packages.props global.json \
    -type f -newer "$stamp" -print -quit)" ]; then
    exit 0
fi

# Machine code is put together by the system's linker.
if ! command -v clang > /dev/null && ! command -v gcc > /dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
        echo "publishing needs gcc or clang to link with, and there is none: install one (Debian: apt-get install gcc)" >&2
        exit 1
    fi
    echo "installing gcc, to link with"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev; } > /dev/null 2>&1 ||
        { echo "gcc could not be installed: apt-get install gcc libc6-dev says why" >&2; exit 1; }
fi

rm -rf "$app" artifacts/jobs
# The stamp is as old as this: a source that is edited while they are compiled is compiled again next time.
mkdir -p "$app"
touch "$app/.begun"
# Beside the program the SDK puts what a debugger wants, and what each job would need to be started by `dotnet`.
dotnet publish docker/app/app.csproj -c Release -o artifacts/obj/app/published --nologo -v quiet
mkdir -p "$app"
cp artifacts/obj/app/published/jobs "$app"

for host in jobs/*/*.csproj migrations/*.csproj; do
    job=$(basename "$host" .csproj)
    mkdir -p "artifacts/jobs/$job"
    ln -s jobs "$app/$job"
    ln -s "../../app/$job" "artifacts/jobs/$job/$job"
done
mv "$app/.begun" "$stamp"
