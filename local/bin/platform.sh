# What up, down, status, logs and reset share: the environment of the profile, its state folder, its supervisor.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
eval "$(local/env.sh "${PROFILE:-demo}")"
state=$LARDER_STATE
profile=$LARDER_PROFILE
socket=$state/run/supervisor.sock

# supervisor WORD...: talks to the running supervisor.
supervisor() {
	"$(tools/build.sh process-compose)/process-compose" -U -u "$socket" -L "$state/log/client.log" "$@" 2>/dev/null
}

# supervisor_pid: its process id, if it runs.
supervisor_pid() {
	local pid
	pid=$(cat "$state/run/supervisor.pid" 2>/dev/null) || return 1
	grep -qzxF "LARDER_SUPERVISED=$state" "/proc/$pid/environ" 2>/dev/null || return 1
	echo "$pid"
}

# one_at_a_time: waits for another up, down or reset of this profile.
one_at_a_time() {
	mkdir -p "$state/run" "$state/log"
	exec 9>"$state/run/lock"
	flock -w 600 9 || { echo "another make up or make down of profile $profile is still running" >&2; exit 1; }
}

# processes: one line each: name, process id, ready (Ready, Not Ready or -), restarts.
processes() {
	supervisor process list -o json |
		jq -r '.[] | select(.status != "Disabled") | [.name, .pid, (if .is_running then .is_ready else .status end), .restarts] | @tsv'
}

now() { date +%s%3N; }

# seconds SINCE: the seconds since now() gave SINCE.
seconds() { printf '%d.%d' $((($(now) - $1) / 1000)) $((($(now) - $1) / 100 % 10)); }
