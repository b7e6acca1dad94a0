#!/bin/bash
# Google's Spanner emulator, from the Cloud SDK. It keeps nothing: each start makes the instance and the database, and
# has the programs migrate and seed fill it, before it counts as ready.
. "$(dirname "$0")/lib.sh"

get() {
	sdk bin/cloud_spanner_emulator/emulator_main >/dev/null ||
		fail "needs Google's Spanner emulator (gcloud components install cloud-spanner-emulator)"
}

start() {
	local folder
	data
	not_twice
	beside fill
	if outside; then stand_in "$SPANNER_EMULATOR_HOST"; fi
	get
	folder=$(dirname "$(sdk bin/cloud_spanner_emulator/emulator_main)")
	# The gateway adds REST, and starts the emulator itself; should it be killed, so is the emulator.
	printf '#!/bin/sh\nexec setpriv --pdeathsig KILL %s "$@"\n' "'$folder/emulator_main'" >emulator
	chmod +x emulator
	exec "$folder/gateway_main" --hostname 127.0.0.1 --grpc_binary "$PWD/emulator" \
		--grpc_port "$(port_of "$SPANNER_EMULATOR_HOST")" --http_port "$(port_of "$SPANNER_EMULATOR_REST_HOST")"
}

# fill makes all that the emulator has to hold.
fill() { make_database && run_if_built migrate && run_if_built seed; }

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

ready() { filled "$SPANNER_EMULATOR_HOST"; }

wants "$@"
