#!/bin/bash
# Runs every test: starts the components on ports of their own (profile test), tests, stops them. A skipped test and
# a run without tests are failures. PACKAGES and RUN narrow it down: make test PACKAGES=./internal/cart/... RUN=TestMerge
export PROFILE=test
. "$(dirname "$0")/platform.sh"
start=$(now)

trap 'local/bin/down.sh' EXIT
local/bin/up.sh

AXE=$(tools/axe.sh)
export AXE SCREENSHOTS=$state/screenshots
rm -rf "$SCREENSHOTS"

report=$state/log/test.json
result=0
# -count=1: what they ran against is new. -p 2: two packages at once share the components. What drives the whole platform comes after
# them, alone: it flushes Redis and kills processes.
all=$(go list ${PACKAGES:-./...})
rooms=$(grep -vx larder.dev/test <<<"$all" || true)
go_test() { go test -json -count=1 -p 2 -timeout 15m ${RUN:+-run "$RUN"} "$@" >>"$report" || result=$?; }
: >"$report"
# shellcheck disable=SC2086 # a list of packages
if [ -n "$rooms" ]; then go_test $rooms; fi
if [ "$rooms" != "$all" ]; then go_test ./test; fi

# What failed, with its output; then the count.
jq -r -n '
	[inputs | select(.Action)] as $all
	| ($all | map(select(.Action == "fail")) | map({key: "\(.Package) \(.Test // "")", value: true}) | from_entries) as $failed
	| $all[] | select(.Action == "build-output" or .Action == "output" and $failed["\(.Package) \(.Test // "")"]) | .Output' <"$report" | sed '/^$/d'
count() { jq -s --arg action "$1" 'map(select(.Action == $action and .Test)) | length' <"$report"; }
passed=$(count pass) failed=$(count fail) skipped=$(count skip)
if [ "$skipped" -gt 0 ]; then
	jq -r 'select(.Action == "skip" and .Test) | "skipped: \(.Package) \(.Test)"' <"$report"
	result=1
fi
if [ "$passed" = 0 ]; then
	echo "no test was run"
	result=1
fi
echo "tests took $(seconds "$start") s; report: ${report#"$root"/}"
echo "test: $passed passed, $failed failed, $skipped skipped"
[ $result = 0 ]
