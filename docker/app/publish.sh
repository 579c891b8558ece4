#!/bin/sh
# Publishes all jobs at once: artifacts/app holds the runtime and every library one time, and beside them each job's own
# host executable; artifacts/jobs/<job>/<job> leads there. What the images contain is this folder.
set -eu
cd "$(dirname "$0")/../.."
app=artifacts/app
stamp=$app/.published

# Nothing to do when no source is newer than the last publish.
if [ -f "$stamp" ] && [ -z "$(find core jobs migrations docker/app docker/startup-profile Directory.Build.props Directory.Packages.props global.json \
    -type f -newer "$stamp" -print -quit)" ]; then
    exit 0
fi

# What was trimmed and listed before may lack what the sources use now, and would not be made anew.
rm -rf "$app" artifacts/jobs artifacts/obj/app/release_linux-x64
dotnet build docker/startup-profile -c Release --nologo -v quiet -clp:NoSummary
dotnet publish docker/app/app.csproj -c Release -o "$app" --nologo -v quiet

for host in jobs/*/*.csproj migrations/*.csproj; do
    job=$(basename "$host" .csproj)
    # One set of libraries for all: every job's list of them is the bundle's.
    cp "$app/app.deps.json" "$app/$job.deps.json"
    cp "$app/app.runtimeconfig.json" "$app/$job.runtimeconfig.json"
    mkdir -p "artifacts/jobs/$job"
    ln -s "../../app/$job" "artifacts/jobs/$job/$job"
done
# Not for running jobs: tracing by LTTng (looked for at every start), a debugger's half, other garbage collectors.
rm -f "$app"/*.xml "$app"/libcoreclrtraceptprovider.so "$app"/libmscordbi.so "$app"/libclrgc.so "$app"/libclrgcexp.so
touch "$stamp"
