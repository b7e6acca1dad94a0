#!/bin/bash
# Runs a function of the schedule now, after its run that may be under way, and prints its report: make run-job NAME=FoldLedger.
. "$(dirname "$0")/platform.sh"
if [ -z "${NAME-}" ]; then
	echo "usage: make run-job NAME=...; the schedule:" >&2
	jq -r '.[] | "  \(.function), every \(.every)"' local/schedule.json >&2
	exit 2
fi
curl -sS --fail-with-body -m 200 -X POST "http://$INVOKER_ADDR/run/$NAME" && exit
code=$?
echo "its log: make logs NAME=${NAME,,}" >&2
exit $code
