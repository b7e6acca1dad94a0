#!/bin/bash
# Runs quick benchmarks on components of their own (profile bench), and stops these: bench.sh table, check, keep or growth (load/bench).
export PROFILE=bench ONLY=components
. "$(dirname "$0")/platform.sh"
trap 'local/bin/down.sh' EXIT
local/bin/up.sh
go run ./load/bench "$1"
