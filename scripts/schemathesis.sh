#!/bin/sh
# Prints the folder of st (schemathesis) and openapi-python-client, which it installs from
# PyPI into a cache when they are missing there. Needs Python 3.10 or newer with venv.
set -eu

schemathesis=4.32.5
client=0.29.1

cache="${XDG_CACHE_HOME:-$HOME/.cache}/eventio/schemathesis-$schemathesis-$client"
if [ ! -e "$cache/complete" ]; then
	rm -rf "$cache"
	python3 -m venv "$cache" >&2
	"$cache/bin/pip" install --quiet --disable-pip-version-check \
		"schemathesis==$schemathesis" "openapi-python-client==$client" >&2
	touch "$cache/complete"
fi
echo "$cache/bin"
