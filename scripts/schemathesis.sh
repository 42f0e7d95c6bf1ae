#!/bin/sh
# Prints the folder of st (schemathesis) and openapi-python-client, which it installs from
# PyPI into a cache when they are missing there. Needs Python 3.10 or newer with venv.
set -eu

schemathesis=4.32.5
client=0.29.1

cache="${XDG_CACHE_HOME:-$HOME/.cache}/eventio/schemathesis-$schemathesis-$client"
if [ ! -e "$cache/complete" ]; then
	rm -rf "$cache"
	# Debian packs the pip of a venv apart; the pip that is there can fill one without.
	python3 -m venv "$cache" >&2 || python3 -m venv --clear --without-pip "$cache" >&2
	pip="$cache/bin/python -m pip"
	$pip --version >/dev/null 2>&1 || pip="python3 -m pip --python $cache/bin/python"
	$pip install --quiet --disable-pip-version-check \
		"schemathesis==$schemathesis" "openapi-python-client==$client" >&2
	touch "$cache/complete"
fi
echo "$cache/bin"
