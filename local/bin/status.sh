#!/bin/bash
# Prints a table of a profile's processes. Exits 0 only if every one of them is ready.
. "$(dirname "$0")/platform.sh"

if ! supervisor_pid >/dev/null; then
	echo "profile $profile is down (make up starts it)"
	exit 1
fi

# mebibytes PID: the resident memory of a process and its descendants; shared pages are counted once.
mebibytes() {
	local pid=$1 sum=0 child part
	part=$(awk '/^Pss:/{print $2}' "/proc/$pid/smaps_rollup" 2>/dev/null || true)
	sum=${part:-0}
	for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do
		sum=$((sum + $(mebibytes "$child") * 1024))
	done
	echo $(((sum + 512) / 1024))
}

bad=0 total=0 count=0
printf '%-18s %8s %-10s %8s %8s\n' NAME PID READY RESTARTS 'RSS MiB'
while IFS=$'\t' read -r name pid ready restarts; do
	count=$((count + 1))
	if [ "$ready" = Ready ]; then ready=yes; else bad=$((bad + 1)); ready="no ($ready)"; fi
	# An outside component has nothing here but a process that waits.
	if [[ " $LARDER_OUTSIDE " == *" $name "* ]]; then ready="$ready, outside"; fi
	rss=$(mebibytes "$pid")
	total=$((total + rss))
	printf '%-18s %8s %-10s %8s %8s\n' "$name" "$pid" "$ready" "$restarts" "$rss"
done < <(processes | sort)
printf '%-18s %8s %-10s %8s %8s\n' "$count in all" '' "$((count - bad)) ready" '' "$total"
[ $count -gt 0 ] && [ $bad = 0 ]
