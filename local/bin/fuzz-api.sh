#!/bin/bash
# Fuzzes the REST API of a platform of its own (profile fuzz): brings it up anew, fuzzes for DURATION seconds by SEED, takes it down.
# UP=1 leaves the platform running, and takes one that runs.
export PROFILE=fuzz
. "$(dirname "$0")/platform.sh"

# The fuzzer is Python's; it is kept in the user's cache under the checksum of its versions.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/larder
venv=$cache/fuzzapi-$(sha256sum <load/fuzzapi/requirements.txt | cut -c1-12)
if [ ! -x "$venv/bin/python" ] || [ ! -e "$venv/ready" ]; then
	echo "installing the fuzzer (once)"
	rm -rf "$venv"
	python3 -m venv "$venv" || { echo "missing: Python 3.11 or newer with venv; Debian's packages python3 and python3-venv" >&2; exit 1; }
	"$venv/bin/pip" install --quiet --disable-pip-version-check -r load/fuzzapi/requirements.txt && touch "$venv/ready"
fi

if [ -z "${UP:-}" ]; then
	trap 'local/bin/down.sh' EXIT # logs stay, to be read
	local/bin/down.sh
	mkdir -p "$state" # there is none before the first run
	find "$state" -mindepth 1 -maxdepth 1 ! -name bin -exec rm -rf {} + # the data of the run before
fi
local/bin/up.sh
export HYPOTHESIS_STORAGE_DIRECTORY=$state/hypothesis # it would be in this folder
"$venv/bin/python" load/fuzzapi/fuzz.py api/openapi.yaml
