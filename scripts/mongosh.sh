#!/bin/sh
# Prints the path of MongoDB's shell, mongosh; progress and errors go to stderr. In this order: on the PATH,
# the cached one, npm's, whose install scripts do not run. Needs node 20 with npm, or newer. Safe to call from
# many processes at once: it enters the cache by a rename.
set -eu

version=2.12.0

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/mongosh-$version
tmp=

say() { echo "mongosh.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

runs() { "$1" --version >/dev/null 2>&1; }

if found=$(command -v mongosh) && runs "$found"; then
    echo "$found"
    exit
fi
if [ ! -d "$cached" ]; then
    command -v npm >/dev/null || { say "no mongosh: install it so that it is on the PATH, or node 20 with npm"; exit 1; }
    say "downloading mongosh $version from npm (30 MB)"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --prefix "$tmp" "mongosh@$version" >&2
    runs "$tmp/node_modules/.bin/mongosh" || { say "npm's mongosh does not run here"; exit 1; }
    mv "$tmp" "$cached" || [ -d "$cached" ]
    tmp=
fi
echo "$cached/node_modules/.bin/mongosh"
