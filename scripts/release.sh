#!/usr/bin/env bash
# Builds what a release is, into bin/release: for each platform one archive with the programs, the
# license and what is new; a list of what is inside them (CycloneDX); checksums. Progress goes to stderr.
#
#   scripts/release.sh                 the commit that is checked out
#   VERSION=v1.2.3 scripts/release.sh  with that section of CHANGELOG.md
#   PLATFORMS=linux/amd64 ...          some platforms only
#   REPRODUCE=1 ...                    builds twice, the second time in another folder and without
#                                      a cache, and fails when one byte differs
#
# The same commit gives the same bytes: paths are trimmed, and times and owners come from the commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${VERSION:-}
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}
programs="api worker notifier eventio"
export CGO_ENABLED=0 GOWORK=off

say() { echo "release.sh: $*" >&2; }

# Another user's clone is refused by git, unless it is told that this folder is meant.
git() { command git -c safe.directory="$PWD" "$@"; }
commit=$(git rev-parse HEAD)
time=$(git log -1 --format=%ct)
name=${version:-$(git log -1 --format=%cd --date=format:%Y%m%d)-${commit:0:12}}
if [ -n "$version" ]; then section="## $version"; else section="## Unreleased"; fi

# news prints the section of CHANGELOG.md that is about this version.
news() {
    awk -v section="$section" '
        index($0, "## ") == 1 { inside = $0 == section || index($0, section " ") == 1; found = found || inside }
        inside
        END { exit !found }' CHANGELOG.md || { say "CHANGELOG.md has no section \"$section\": write what is new before you release it"; return 1; }
}

# build SOURCE TARGET: all archives of the sources in one folder, into another.
build() {
    local source=$1 target=$2 platform os arch folder suffix program
    mkdir -p "$target"
    for platform in $platforms; do
        os=${platform%/*} arch=${platform#*/} suffix=
        [ "$os" != windows ] || suffix=.exe
        folder=eventio-$name-$os-$arch
        say "building $folder"
        mkdir -p "$target/$folder"
        for program in $programs; do
            GOOS=$os GOARCH=$arch go -C "$source" build -trimpath -buildvcs=false -ldflags="-s -w \
                -X github.com/eventio/eventio/internal/process.linkedVersion=$version \
                -X github.com/eventio/eventio/internal/process.linkedCommit=$commit" \
                -o "$target/$folder/$program$suffix" "./cmd/$program"
        done
        cp "$source/LICENSE" "$target/$folder/"
        cp "$work/NEWS.md" "$target/$folder/"
        tar -C "$target" --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
            -cf - "$folder" | gzip -9n >"$target/$folder.tar.gz"
        rm -r "${target:?}/$folder"
    done
    (cd "$target" && sha256sum -- *.tar.gz >SHA256SUMS)
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
news >"$work/NEWS.md"

# What a release is built of is a commit, never what happens to lie about.
git clone -q --no-local --no-checkout . "$work/source" # a repository: the list of modules takes its version from there
git -C "$work/source" checkout -q --detach "$commit"
go -C "$work/source" mod verify >&2

release=$PWD/bin/release
rm -rf "$release"
build "$work/source" "$release"
if [ -n "${REPRODUCE:-}" ]; then
    say "building again, in another folder and without a cache"
    mkdir "$work/elsewhere"
    cp -r "$work/source" "$work/elsewhere/copy"
    GOCACHE=$work/cache build "$work/elsewhere/copy" "$work/again"
    cmp "$release/SHA256SUMS" "$work/again/SHA256SUMS" >&2
fi

# One list for each program: what a scanner asks is what is in the binary that runs.
for program in $programs; do
    go tool -modfile=tools/go.mod cyclonedx-gomod app -json -noserial \
        -main "cmd/$program" -output "$release/$program.cdx.json" "$work/source" 2>"$work/sbom.log" || { cat "$work/sbom.log" >&2; exit 1; }
    sed -i "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(date -u -d "@$time" +%FT%TZ)\"/" "$release/$program.cdx.json"
done
(cd "$release" && sha256sum -- *.cdx.json >>SHA256SUMS)
say "done: $release"
ls -l "$release" >&2
