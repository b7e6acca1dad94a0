#!/bin/bash
# Builds one fence of the checkout out at a time, and sees the prover fail by the counter that belongs to it. FENCES="a b" chooses; else
# it is three of them, other ones with each commit. DURATION is a run's, in seconds.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

# The counters that a missing fence must raise, any of them (internal/chaos).
declare -A raises=(
	[epoch-check]='oversold|stock_drift'
	[instance-check]='oversold|stock_drift'
	[tombstone]='lost|orphaned_charges'
	[rows-intent]='double_charged|orphaned_charges'
	[voiding]='orphaned_charges|stuck'
	[frozen-total]='wrong_amount'
	[settle-token]='oversold|stock_drift'
	[applied-set]='stock_drift|oversold'
	[reconciling]='stuck|orphaned_charges'
	[outbox]='events_missing'
)
all=(epoch-check outbox tombstone settle-token frozen-total voiding applied-set rows-intent reconciling instance-check)

if [ -n "${FENCES-}" ]; then
	read -ra chosen <<<"$FENCES"
else
	first=$(($(git rev-list --count HEAD 2>/dev/null || echo 0) * 3))
	chosen=("${all[first % 10]}" "${all[(first + 1) % 10]}" "${all[(first + 2) % 10]}")
fi

local/components/install.sh || exit
failed=0
for fence in "${chosen[@]}"; do
	if [ -z "${raises[$fence]-}" ]; then
		echo "check-prover: no fence $fence; there are: ${all[*]}"
		exit 2
	fi
	# What a storm meets is chance: one that met nothing is followed by another, twice as long.
	caught='' lasts=${DURATION:-120}
	for attempt in 1 2; do
		out=$(go run ./load/prove -duration "$((lasts * attempt))s" -seed "$((${SEED:-0} + attempt))" -crowd -1 -intensity 1.5 -without "$fence" 2>&1)
		code=$?
		line=$(grep '^prove: orders=' <<<"$out" | tail -n 1)
		if [ $code != 0 ] && grep -qE "(${raises[$fence]})=[1-9]" <<<"$line"; then
			caught=$(grep -oE "(${raises[$fence]})=[1-9][0-9]*" <<<"$line" | tr '\n' ' ')
			break
		fi
		tail -n 15 <<<"$out"
	done
	if [ -n "$caught" ]; then
		echo "check-prover: without $fence: caught ($caught) in storm $attempt"
	else
		echo "check-prover: without $fence: NOT caught (exit $code)"
		failed=1
	fi
done
exit $failed
