#!/bin/bash
# Stops a profile's platform and leaves no process of it, also where its supervisor was killed.
. "$(dirname "$0")/platform.sh"
[ -d "$state" ] || exit 0
[ -n "${LARDER_LOCKED-}" ] || one_at_a_time
start=$(now)

if pid=$(supervisor_pid); then
	# In reverse order of the dependencies: Debezium goes before PostgreSQL, which else would wait for it.
	timeout 40 "$(tools/build.sh process-compose)/process-compose" -U -u "$socket" -L "$state/log/client.log" down >/dev/null 2>&1 || true
	for ((i = 0; i < 20; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
fi

# PostgreSQL last, and as its manual wants: fast shutdown, then immediate shutdown, which recovers at the next start.
postmaster=$(head -1 "$state/postgres/cluster/postmaster.pid" 2>/dev/null || true)
if [ -n "$postmaster" ] && ! grep -qzxF "LARDER_SUPERVISED=$state" "/proc/$postmaster/environ" 2>/dev/null; then
	postmaster=
fi
local/bin/survivors.sh end "$state" '' "${postmaster:-0}"
if [ -n "$postmaster" ]; then
	kill -INT "$postmaster" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		kill -0 "$postmaster" 2>/dev/null || break
		if [ $i = 50 ]; then kill -QUIT "$postmaster" 2>/dev/null || true; fi
		sleep 0.1
	done
	local/bin/survivors.sh end "$state"
fi
rm -f "$socket" "$state"/run/supervisor.pid "$state"/run/*.ready
[ -n "${LARDER_LOCKED-}" ] || echo "profile $profile is down ($(seconds "$start") s); its data stays in ${state#"$root"/} until make reset"
