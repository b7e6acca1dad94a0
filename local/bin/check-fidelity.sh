#!/bin/bash
# Builds out what make fidelity looks for, and sees it found: check-fidelity.sh. WITHOUT="locks events" names what; else the number
# of commits picks one (its half: CI comes here with every second).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
all=(locks events)
read -ra chosen <<<"${WITHOUT-}"
if [ ${#chosen[@]} = 0 ]; then chosen=("${all[$(($(git rev-list --count HEAD 2>/dev/null || echo 0) / 2 % ${#all[@]}))]}"); fi

local/components/install.sh
bad=0
for without in "${chosen[@]}"; do
	code=0
	out=$(go run ./load/fidelity -duration 1m -seed "${SEED:-1}" -without "$without" 2>&1) || code=$?
	found=$(sed -n 's/^fidelity: changes=.*\(missing=.* resurrected=[0-9]*\).*/\1/p' <<<"$out")
	if [ $code != 0 ] && grep -q '[1-9]' <<<"$found"; then
		echo "check-fidelity: without $without: found ($found)"
	else
		echo "check-fidelity: without $without: NOT found (exit code $code)"
		tail -n 20 <<<"$out"
		bad=1
	fi
done
exit $bad
