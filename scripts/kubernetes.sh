#!/bin/sh
# Prints the path of kubernetes-validate, which has the schemas of Kubernetes with it; progress and
# errors go to stderr. Fetched from PyPI where it is missing; needs Python 3. Safe to call from many
# processes at once: it enters the cache by a rename.
set -eu

validator='kubernetes-validate==1.37.0'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/eventio
cached=$cache/kubernetes-validate-1.37.0
tmp=

say() { echo "kubernetes.sh: $*" >&2; }
cleanup() { [ -z "$tmp" ] || rm -rf "$tmp"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

if [ ! -x "$cached/run" ]; then
    say "downloading $validator from PyPI"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    # --target, not a virtual environment: the folder is moved, and those know their path.
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$tmp/kubernetes" "$validator" >&2
    cat >"$tmp/kubernetes/run" <<'RUN'
#!/bin/sh
folder=$(dirname "$0")
PYTHONPATH=$folder exec python3 -c 'import sys; from kubernetes_validate.__main__ import main; sys.exit(main())' "$@"
RUN
    chmod +x "$tmp/kubernetes/run"
    mv -T "$tmp/kubernetes" "$cached" 2>/dev/null || [ -x "$cached/run" ]
fi
echo "$cached/run"
