#!/usr/bin/env bash
# The images of the jobs, named $IMAGE_PREFIX/<job>:$TAG.
#   images.sh build [job...]   builds them, all without a name
#   images.sh fakes            builds the image of the fakes, for compose.yaml and the tests
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
jobs="$(find jobs migrations -name '*.csproj' | sed 's|.*/||; s|\.csproj$||' | sort)
scheduler"
# The builder before BuildKit where docker has no other.
docker buildx version > /dev/null 2>&1 || export DOCKER_BUILDKIT=0

# build_image <what to build: docker's arguments>; says why when it fails
build_image() {
    local log
    log=$(docker build --build-arg "VERSION=$VERSION" \
        --build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
        ${SOURCE_URL:+--build-arg "SOURCE=$SOURCE_URL"} \
        ${SDK_IMAGE:+--build-arg "SDK_IMAGE=$SDK_IMAGE"} ${RUNTIME_IMAGE:+--build-arg "RUNTIME_IMAGE=$RUNTIME_IMAGE"} \
        ${POSTGRES_IMAGE:+--build-arg "POSTGRES_IMAGE=$POSTGRES_IMAGE"} \
        "$@" . 2>&1) || { echo "$log" | tail -n 40 >&2; return 1; }
}

build_job() {
    build_image -f docker/Dockerfile --build-arg "JOB=$1" -t "$IMAGE_PREFIX/$1:$TAG" -t "$IMAGE_PREFIX/$1:latest" && echo "$IMAGE_PREFIX/$1:$TAG"
}

fakes() { build_image -f docker/fakes.Dockerfile -t "$IMAGE_PREFIX/fakes:$TAG" -t "$IMAGE_PREFIX/fakes:latest" && echo "$IMAGE_PREFIX/fakes:$TAG"; }

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
    local one=0 biggest='' weight image
    for image in $(names); do
        weight=$(docker image inspect -f '{{.Size}}' "$image" 2> /dev/null) || { echo "there is no $image: make images" >&2; return 1; }
        awk -v image="$image" -v bytes="$weight" 'BEGIN { printf "%-48s %6.1f MB\n", image, bytes / 1e6 }'
        [ "$weight" -le "$one" ] || { one=$weight; biggest=$image; }
    done
    # Saved together, layers that several share are there once.
    awk -v one="$(docker save "$biggest" | wc -c)" -v all="$(docker save $(names) | wc -c)" -v count="$(names | wc -l)" \
        -v most_mb=$most_mb -v most_ratio=$most_ratio 'BEGIN {
            printf "one image %.1f MB (at most %d), all %d together %.1f MB: %.3f times one (at most %.1f)\n",
                one / 1e6, most_mb, count, all / 1e6, all / one, most_ratio
            exit one > most_mb * 1e6 || all > most_ratio * one
        }'
}

publish() {
    local begun container
    begun=$(mktemp)
    build_image -f docker/Dockerfile --target published --build-arg JOB=migrate -t "$IMAGE_PREFIX/published:latest"
    container=$(docker create "$IMAGE_PREFIX/published:latest" true)
    rm -rf artifacts/app artifacts/jobs
    mkdir -p artifacts
    docker cp "$container:/source/artifacts/app" artifacts/ > /dev/null
    docker cp "$container:/source/artifacts/jobs" artifacts/ > /dev/null
    docker rm "$container" > /dev/null
    # As new as these sources, however old the builder's cache.
    touch -r "$begun" artifacts/app/.published
    rm "$begun"
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
    fakes | size | names | publish | push) "$1" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 1 ;;
esac
