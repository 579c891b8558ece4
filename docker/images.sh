#!/usr/bin/env bash
# The images of the jobs, named $IMAGE_PREFIX/<job>:$TAG.
#   images.sh build [job...]   builds them, all without a name
#   images.sh names            lists them
#   images.sh size             what they weigh; fails above the limits
#   images.sh publish          the published jobs, out of the images' own build, into artifacts: what is tested is what ships
#   images.sh push             to $REGISTRY
set -euo pipefail
cd "$(dirname "$0")/.."

most_mb=120     # one image
most_ratio=1.2  # all images together, against one

IMAGE_PREFIX=${IMAGE_PREFIX:-jobs}
VERSION=$(sed -n 's|.*<Version>\(.*\)</Version>.*|\1|p' Directory.Build.props)
TAG=${TAG:-$VERSION}
jobs=$(find jobs migrations -name '*.csproj' | sed 's|.*/||; s|\.csproj$||' | sort)
# The builder before BuildKit where docker has no other.
docker buildx version > /dev/null 2>&1 || export DOCKER_BUILDKIT=0

# build_image <what to build: docker's arguments>; says why when it fails
build_image() {
    local log
    log=$(docker build -f docker/Dockerfile --build-arg "VERSION=$VERSION" \
        --build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
        ${SOURCE_URL:+--build-arg "SOURCE=$SOURCE_URL"} \
        ${SDK_IMAGE:+--build-arg "SDK_IMAGE=$SDK_IMAGE"} ${RUNTIME_IMAGE:+--build-arg "RUNTIME_IMAGE=$RUNTIME_IMAGE"} \
        "$@" . 2>&1) || { echo "$log" | tail -n 40 >&2; return 1; }
}

build_job() {
    build_image --build-arg "JOB=$1" -t "$IMAGE_PREFIX/$1:$TAG" -t "$IMAGE_PREFIX/$1:latest" && echo "$IMAGE_PREFIX/$1:$TAG"
}

build() {
    for job in "$@"; do
        grep -qxF -e "$job" <<< "$jobs" || { echo "there is no job '$job'; the jobs:" $jobs >&2; exit 1; }
    done
    # The first compiles for all, the others have only their own layer to add.
    build_job "$1"
    shift
    export -f build_image build_job
    export IMAGE_PREFIX VERSION TAG
    [ $# = 0 ] || printf '%s\n' "$@" | xargs -P 2 -I '{}' bash -euo pipefail -c 'build_job {}'
}

size() {
    docker system df -v --format '{{range .Images}}{{.Repository}}:{{.Tag}} {{.Size}} {{.SharedSize}} {{.UniqueSize}}{{"\n"}}{{end}}' |
        awk -v "names=$(names | xargs)" -v most_mb=$most_mb -v most_ratio=$most_ratio '
        function mb(text) { return text * (text ~ /GB$/ ? 1000 : text ~ /MB$/ ? 1 : text ~ /kB$/ ? 0.001 : 0.000001) }
        BEGIN { wanted = split(names, list); for (i in list) ours[list[i]] = 1 }
        $1 in ours {
            printf "%-48s %6.1f MB, of its own %5.2f MB\n", $1, mb($2), mb($4)
            count++; own += mb($4)
            if (mb($2) > one) one = mb($2)
            if (mb($3) > shared) shared = mb($3)
        }
        END {
            if (count < wanted) { print "of " wanted " images " count + 0 " are there: make images" > "/dev/stderr"; exit 1 }
            printf "one image %.1f MB (at most %d), all %d together %.1f MB: %.3f times one (at most %.1f)\n",
                one, most_mb, count, shared + own, (shared + own) / one, most_ratio
            exit one > most_mb || shared + own > most_ratio * one
        }'
}

publish() {
    build_image --target published -t "$IMAGE_PREFIX/published:latest"
    container=$(docker create "$IMAGE_PREFIX/published:latest")
    rm -rf artifacts/app artifacts/jobs
    mkdir -p artifacts
    docker cp "$container:/source/artifacts/app" artifacts/ > /dev/null
    docker cp "$container:/source/artifacts/jobs" artifacts/ > /dev/null
    docker rm "$container" > /dev/null
}

names() { printf "$IMAGE_PREFIX/%s:$TAG\n" $jobs; }

push() {
    : "${REGISTRY:?say where to: make push REGISTRY=registry.example.org/club TAG=$VERSION}"
    for job in $jobs; do
        docker tag "$IMAGE_PREFIX/$job:$TAG" "$REGISTRY/$IMAGE_PREFIX/$job:$TAG"
        docker push -q "$REGISTRY/$IMAGE_PREFIX/$job:$TAG"
    done
}

case ${1:-} in
    build) shift; if [ $# = 0 ]; then build $jobs; else build "$@"; fi ;;
    size | names | publish | push) "$1" ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 1 ;;
esac
