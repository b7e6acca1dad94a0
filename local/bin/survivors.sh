#!/bin/bash
# Processes of a platform, found by what each of them inherits: LARDER_SUPERVISED=<state folder> and, from the process
# supervisor, PC_PROC_NAME=<name>. So they are found whoever their parent is by now, and nobody else's are touched.
#
#     survivors.sh list STATE [NAME]          prints their process ids
#     survivors.sh end STATE [NAME [EXCEPT]]  ends them, but for EXCEPT: SIGTERM, after 8 seconds SIGKILL
#
# An empty NAME means all. This script, those that called it and readiness probes are never among them.
set -euo pipefail

word=$1 state=$2 name=${3-} except=${4-0}
[ -n "$state" ] || exit 0

ancestors=" $except "
pid=$$
while [ "$pid" -gt 1 ]; do
	ancestors+="$pid "
	pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done

list() {
	local file pid me=$BASHPID
	# env -u: else the grep would find itself.
	for file in $(env -u LARDER_SUPERVISED grep -lzxF "LARDER_SUPERVISED=$state" /proc/[0-9]*/environ 2>/dev/null); do
		pid=${file#/proc/} pid=${pid%/environ}
		[[ $ancestors != *" $pid "* && $pid != "$me" ]] || continue
		[ -z "$name" ] || grep -qzxF "PC_PROC_NAME=$name" "$file" 2>/dev/null || continue
		# A readiness probe inherits the same and is over in a moment.
		! grep -qzxF ready "/proc/$pid/cmdline" 2>/dev/null || continue
		# What has ended and waits for its parent only is no survivor.
		grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null || echo "$pid"
	done
}

end() {
	local pids i
	pids=$(list)
	[ -n "$pids" ] || return 0
	kill -TERM $pids 2>/dev/null || true
	for ((i = 0; i < 80; i++)); do
		pids=$(list)
		[ -n "$pids" ] || return 0
		sleep 0.1
	done
	kill -KILL $pids 2>/dev/null || true
}

case $word in
list | end) "$word" ;;
*) exit 2 ;;
esac
