#!/bin/bash
# Runs each of Go's fuzz targets for FUZZTIME (10s), one after the other. What one finds, Go writes below its package's testdata/fuzz:
# commit it with the fix.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

targets=0 failed=()
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	targets=$((targets + 1))
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "$package" </dev/null; then continue; fi
	failed+=("$package $target")
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z]+' internal pipelines functions | sed 's/func //')
echo "fuzz-go: $targets targets, ${#failed[@]} failed"
for target in "${failed[@]}"; do echo "failed: $target"; done
[ $targets -gt 0 ] && [ ${#failed[@]} = 0 ]
