#!/bin/bash
# Runs benchmarks on components of their own (profile bench), and stops these: bench.sh table, check, keep or growth (load/bench), or catalogue.
export PROFILE=bench ONLY=components
. "$(dirname "$0")/platform.sh"
trap 'local/bin/down.sh' EXIT
local/bin/up.sh
case $1 in
catalogue) go test -tags bench -count=1 -v -timeout 20m -run TestBenchCatalogue ./internal/product ;;
*) go run ./load/bench "$1" ;;
esac
