#!/bin/sh
# Prints the path of Redocly's command line, a program for node, which the OpenAPI document is judged
# by; progress and errors go to stderr. In this order: the cached one, npm's. Needs node 20.19 or newer. Safe
# to call from many processes at once: it enters the cache by a rename.
set -eu

version=2.77.0
sha256=407a02e97db09453466dad4862078ffd9645bfca41f312612b599a5269602bad

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/redocly-$version
tmp=

cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

if [ ! -d "$cached" ]; then
    echo "redocly.sh: downloading Redocly $version from npm (4 MB)" >&2
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    # The hash keeps a replaced package out: what is fetched here is executed.
    (cd "$tmp" && npm pack --silent "@redocly/cli@$version" >/dev/null && echo "$sha256  $(echo *.tgz)" | sha256sum -c --quiet >&2 && tar -xzof *.tgz)
    mv "$tmp/package" "$cached" || [ -d "$cached" ]
fi
echo "$cached/bin/cli.js"
