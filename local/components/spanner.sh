#!/bin/bash
# Google's Spanner emulator, from the Cloud SDK. It keeps nothing: each start makes the instance and has the
# programs migrate and seed make and fill the database, before it counts as ready.
. "$(dirname "$0")/lib.sh"

get() {
	sdk bin/cloud_spanner_emulator/emulator_main >/dev/null ||
		fail "needs Google's Spanner emulator (gcloud components install cloud-spanner-emulator)"
}

start() {
	local folder
	data
	not_twice
	rm -f "$LARDER_STATE/run/spanner.forgot"
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
fill() { forget_payments && make_instance && run_if_built migrate && run_if_built seed; }

# What the last emulator held is gone. A provider that goes on to know its orders' payments would charge for orders that nobody has: a
# new incarnation makes it forget them too (service.sh).
forget_payments() {
	if [ -e "$LARDER_STATE/run/spanner.forgot" ]; then return; fi
	date +%s%N >"$LARDER_STATE/run/spanner.incarnation"
	"$root/local/bin/survivors.sh" end "${LARDER_SUPERVISED-}" payments 0
	touch "$LARDER_STATE/run/spanner.forgot"
}

make_instance() {
	local project instance
	IFS=/ read -r _ project _ instance _ <<<"$SPANNER_DATABASE"
	# An outside emulator is known by its gRPC address only; migrate makes the instance there.
	if outside; then return; fi
	post "http://$SPANNER_EMULATOR_REST_HOST/v1/projects/$project/instances" "{
		\"instanceId\": \"$instance\",
		\"instance\": {\"config\": \"projects/$project/instanceConfigs/emulator-config\", \"displayName\": \"$instance\", \"nodeCount\": 1}
	}"
}

# post URL JSON: true if it is made, or was there (409).
post() { [[ $(curl -sS -m 5 -o /dev/null -w '%{http_code}' -d "$2" "$1" 2>/dev/null) == @(200|409) ]]; }

# Without services the instance stays empty.
run_if_built() {
	if [ "${LARDER_ONLY-}" = components ]; then return; fi
	"$LARDER_STATE/bin/$1"
}

ready() { filled "$SPANNER_EMULATOR_HOST"; }

wants "$@"
