#!/bin/sh
# Prints the folder with bin/python and node_modules of the HTTP clients that people's programs use, which it
# installs from PyPI and npm into a cache when they are missing there. Needs Python 3.10 with venv, and
# node 20 with npm, or newer.
set -eu

python='requests==2.34.2 httpx==0.28.1 aiohttp==3.14.5'
node='axios@1.21.1 got@14.6.6 ky@1.14.3'

cache="${XDG_CACHE_HOME:-$HOME/.cache}/eventio/clients-$(echo "$python $node" | cksum | cut -d ' ' -f 1)"
if [ ! -e "$cache/complete" ]; then
	rm -rf "$cache"
	# Debian packs the pip of a venv apart; the pip that is there can fill one without.
	python3 -m venv "$cache" >&2 || python3 -m venv --clear --without-pip "$cache" >&2
	pip="$cache/bin/python -m pip"
	$pip --version >/dev/null 2>&1 || pip="python3 -m pip --python $cache/bin/python"
	# shellcheck disable=SC2086 # words are meant
	$pip install --quiet --disable-pip-version-check $python >&2
	# shellcheck disable=SC2086
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$cache" $node >&2
	touch "$cache/complete"
fi
echo "$cache"
