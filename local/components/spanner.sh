#!/bin/bash
# Google's Spanner emulator, from the Cloud SDK. It keeps nothing: each start makes the instance and the database, and
# has the programs migrate and seed fill it, before it counts as ready.
. "$(dirname "$0")/lib.sh"

get() {
	sdk bin/cloud_spanner_emulator/emulator_main >/dev/null ||
		fail "needs Google's Spanner emulator (gcloud components install cloud-spanner-emulator)"
}

start() {
	local folder rest=$SPANNER_EMULATOR_REST_HOST mark
	data
	not_twice
	mark=$LARDER_STATE/run/spanner.ready
	rm -f "$mark"
	if outside; then
		fill "$$" "$mark" &
		stand_in "$SPANNER_EMULATOR_HOST"
	fi
	get
	folder=$(dirname "$(sdk bin/cloud_spanner_emulator/emulator_main)")
	# Twice in the background, so that nobody has to wait for the filler's end: exec makes this shell the emulator.
	(fill "$$" "$mark" &)
	exec "$folder/gateway_main" --hostname 127.0.0.1 --grpc_binary "$folder/emulator_main" \
		--grpc_port "$(port_of "$SPANNER_EMULATOR_HOST")" --http_port "$(port_of "$rest")"
}

# fill PID MARK: once the emulator answers, makes all that it has to hold, then MARK. Ends with the process PID.
fill() {
	until kill -0 "$1" 2>/dev/null && make_database && run_if_built migrate && run_if_built seed && touch "$2"; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.5
	done
}

make_database() {
	local project instance database api body
	IFS=/ read -r _ project _ instance _ database <<<"$SPANNER_DATABASE"
	# An outside emulator is known by its gRPC address only; there migrate makes the database.
	if outside; then return; fi
	api=http://$SPANNER_EMULATOR_REST_HOST/v1/projects/$project/instances
	body="{\"instanceId\":\"$instance\",\"instance\":{\"config\":\"projects/$project/instanceConfigs/emulator-config\",\"displayName\":\"larder\",\"nodeCount\":1}}"
	post "$api" "$body" && post "$api/$instance/databases" "{\"createStatement\":\"CREATE DATABASE \`$database\`\"}"
}

# post URL JSON: true if it is made, or was there (409).
post() { [[ $(curl -sS -m 5 -o /dev/null -w '%{http_code}' -d "$2" "$1" 2>/dev/null) == @(200|409) ]]; }

# Without services there may be no programs yet: the database stays empty then.
run_if_built() {
	if [ "${LARDER_ONLY-}" = components ]; then return; fi
	"$LARDER_STATE/bin/$1"
}

ready() { [ -e "$LARDER_STATE/run/spanner.ready" ] && answers "$(host_of "$SPANNER_EMULATOR_HOST")" "$(port_of "$SPANNER_EMULATOR_HOST")"; }

wants "$@"
