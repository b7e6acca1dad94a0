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
	exec "$java" -Xmx"${PUBSUB_HEAP:-512m}" -XX:+UseSerialGC -Djava.util.logging.config.file="$root/local/components/pubsub.logging" \
		-jar $(jar) --host=127.0.0.1 --port="$(port_of "$PUBSUB_EMULATOR_HOST")"
}

# fill makes the topics and subscriptions.
fill() { make_topics && tell_again; }

# generations: those of the index that are streamed to, which have a subscription each of what is pulled.
generations() {
	local slot
	for slot in productindex productindexeven; do "$root/local/bin/service.sh" generation $slot; done | xargs
}

# make_topics: each topic has another one for its dead letters, where they lie in a subscription of the same name. A function gets
# what is pushed through the invoker, which signs it; on Google Cloud, Pub/Sub signs by itself (oidcToken) and tries again less
# often. The emulator keeps a subscription's filter and doesn't apply it, so the invoker does: the types that pass are in the endpoint.
# What fails a hundred times goes to the dead letters in any case.
make_topics() {
	local project=projects/$GOOGLE_CLOUD_PROJECT all resource body
	all=$(jq -r --arg project "$project" --arg invoker "http://$INVOKER_ADDR" --arg generations "$(generations)" '
		def topic: "\($project)/topics/\(.)";
		def subscription: {
			resource: "subscriptions/\(.name)",
			body: (del(.name) + {
				topic: (.topic | topic),
				deadLetterPolicy: {deadLetterTopic: ("\(.topic)-dead-letters" | topic), maxDeliveryAttempts: 100}
			})
		};
		((.topics[] | ., "\(.)-dead-letters") | {resource: "topics/\(.)", body: {}}),
		(.topics[] | "\(.)-dead-letters" | {resource: "subscriptions/\(.)", body: {topic: topic, ackDeadlineSeconds: 60}}),
		(.pull[] | .name as $name | ($generations | split(" "))[] as $n | .name = "\($name)-\($n)" | subscription),
		(.push | to_entries[] | .key as $function | .value | to_entries[] | {
			name: "\($function)-\(.key)", topic: .key, ackDeadlineSeconds: 30,
			pushConfig: {pushEndpoint: "\($invoker)/push/\($function)\(.value | map("type=\(.)") | join("&") | if . == "" then . else "?\(.)" end)"},
			retryPolicy: {minimumBackoff: "0.2s", maximumBackoff: "10s"}
		} | subscription)
		| "\(.resource) \(.body | tojson)"' "$root/local/pubsub.json") || return
	while read -r resource body; do
		put "$project/$resource" "$body" || return
	done <<<"$all"
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
