#!/bin/bash
# rush.sh WHAT [FLAG...]: brings up a platform of the profile rush in which nothing was sold yet, with PRODUCTS in its catalogue, has load/rush do
# WHAT there, and takes it down again, unless KEEP is set. The catalogue and its index stay for the next time.
export PROFILE=${PROFILE:-rush}
# Both of Elasticsearch's compilers, and its memory, as in production.
export ES_JAVA_OPTS=${ES_JAVA_OPTS:--Xms1g -Xmx1g}
. "$(dirname "$0")/platform.sh"
what=$1 && shift
products=${PRODUCTS:-50000}
mkdir -p "$state/log"
start=$(now)

# The emulators, and the provider with them, forget everything.
local/bin/down.sh
k6=$(tools/build.sh k6)/k6
local/bin/up.sh >"$state/log/up.log" || { tail -20 "$state/log/up.log" >&2; exit 1; }
if [ -z "${KEEP-}" ]; then trap local/bin/down.sh EXIT; fi
"$state/bin/seed" -generate "$products" | tail -1
go build -o "$state/bin/rush" ./load/rush
echo "$what: a fresh platform is up in $(seconds "$start") s"
"$state/bin/rush" -k6 "$k6" -dir "$state/$what" -products "$products" "$@" "$what"
