#!/bin/bash
# Google's Pub/Sub emulator, from the Cloud SDK. It keeps nothing: each start makes the topics and subscriptions of
# local/pubsub.json before it counts as ready.
. "$(dirname "$0")/lib.sh"

jar() { sdk platform/pubsub-emulator/lib 2>/dev/null | sed 's,$,/cloud-pubsub-emulator-*-all.jar,'; }

get() {
	[ -n "$(jar)" ] || fail "needs Google's Pub/Sub emulator (gcloud components install pubsub-emulator)"
	command -v jq >/dev/null || fail "needs jq (Debian package jq)"
}

start() {
	local java mark
	data
	not_twice
	mark=$LARDER_STATE/run/pubsub.ready
	rm -f "$mark"
	get
	if outside; then
		fill "$$" "$mark" &
		stand_in "$PUBSUB_EMULATOR_HOST"
	fi
	java=$(java_for 17)
	(fill "$$" "$mark" &)
	# Its threads grow with the publishes under way: without a limit of memory it takes the machine with it.
	# shellcheck disable=SC2046 # one path, given as a pattern
	exec "$java" -Xmx512m -XX:+UseSerialGC -Djava.util.logging.config.file="$root/local/components/pubsub.logging" \
		-jar $(jar) --host=127.0.0.1 --port="$(port_of "$PUBSUB_EMULATOR_HOST")"
}

# fill PID MARK: once the emulator answers, makes the topics and subscriptions, then MARK. Ends with the process PID.
fill() {
	until kill -0 "$1" 2>/dev/null && make_topics && touch "$2"; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.3
	done
	tell_again
}

make_topics() {
	local project=projects/$GOOGLE_CLOUD_PROJECT topic subscription
	while read -r topic; do
		put "$project/topics/$topic" '{}' || return
	done < <(jq -r '.topics[]' "$root/local/pubsub.json")
	while read -r subscription; do
		put "$project/subscriptions/$(jq -r .name <<<"$subscription")" \
			"$(jq -c --arg p "$project" 'del(.name)
				| .topic = "\($p)/topics/\(.topic)"
				| if .deadLetterPolicy then .deadLetterPolicy.deadLetterTopic |= "\($p)/topics/\(.)" else . end' \
				<<<"$subscription")" || return
	done < <(jq -c '.subscriptions[]' "$root/local/pubsub.json")
}

# put RESOURCE JSON: true if it is made, or was there (409).
put() {
	[[ $(curl -sS -m 5 -o /dev/null -w '%{http_code}' -X PUT -H 'Content-Type: application/json' -d "$2" \
		"http://$PUBSUB_EMULATOR_HOST/v1/$1" 2>/dev/null) == @(200|409) ]]
}

# What the last emulator held undelivered is gone, while Debezium has ticked it off: a new incarnation makes it tell
# the whole table again (debezium.sh). Versions make that harmless.
tell_again() {
	date +%s%N >"$LARDER_STATE/run/pubsub.incarnation"
	"$root/local/bin/survivors.sh" end "${LARDER_SUPERVISED-}" debezium 0
}

ready() { [ -e "$LARDER_STATE/run/pubsub.ready" ] && answers "$(host_of "$PUBSUB_EMULATOR_HOST")" "$(port_of "$PUBSUB_EMULATOR_HOST")"; }

wants "$@"
