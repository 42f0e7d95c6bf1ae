#!/bin/sh
# Prints the path of the executable prometheus or promtool; progress and errors go to stderr. In this
# order: on the PATH, the cached one, Debian's package, unpacked without being installed, so that no
# service starts. Needs no root where apt has its lists. Safe to call from many processes at once: what
# enters the cache enters by a rename.
set -eu

name=$1
case $name in
prometheus | promtool) ;;
*) echo "prometheus.sh: name one of prometheus, promtool" >&2; exit 2 ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/prometheus
tmp=

say() { echo "prometheus.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

runs() { "$1" --version >/dev/null 2>&1; }

# from_debian unpacks the package. apt checks its signature. The programs need nothing else of it.
from_debian() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { say "apt-get is missing"; return 1; }
    say "downloading Debian's prometheus"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    mkdir "$tmp/package" "$tmp/root"
    (cd "$tmp/package" && { apt-get download prometheus >&2 ||
        { [ "$(id -u)" = 0 ] && apt-get update >&2 && apt-get download prometheus >&2; }; }) || return 1
    dpkg-deb -x "$tmp"/package/*.deb "$tmp/root" || return 1
    runs "$tmp/root/usr/bin/$name" || { say "Debian's $name does not run here"; return 1; }
    [ -e "$cached" ] || mv "$tmp/root" "$cached" 2>/dev/null || [ -x "$cached/usr/bin/$name" ]
}

if found=$(command -v "$name") && runs "$found"; then
    echo "$found"
elif runs "$cached/usr/bin/$name" || from_debian; then
    echo "$cached/usr/bin/$name"
else
    say "no $name: install it so that it is on the PATH, or apt-get (Debian, Ubuntu)"
    exit 1
fi
