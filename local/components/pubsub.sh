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
	local java
	data
	not_twice
	get
	beside fill
	if outside; then stand_in "$PUBSUB_EMULATOR_HOST"; fi
	java=$(java_for 17)
	# Its threads grow with the publishes under way: without a limit of memory it takes the machine with it.
	# shellcheck disable=SC2046 # one path, given as a pattern
	exec "$java" -Xmx512m -XX:+UseSerialGC -Djava.util.logging.config.file="$root/local/components/pubsub.logging" \
		-jar $(jar) --host=127.0.0.1 --port="$(port_of "$PUBSUB_EMULATOR_HOST")"
}

# fill makes the topics and subscriptions.
fill() { make_topics && tell_again; }

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

ready() { filled "$PUBSUB_EMULATOR_HOST"; }

wants "$@"
