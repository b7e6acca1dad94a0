#!/bin/bash
# Brings a profile's platform up and waits until all of it is ready. Running it again changes nothing but what has been
# built anew. ONLY=components leaves out the services and Debezium, ONLY=index all that the road from the catalogue to the index
# doesn't need.
. "$(dirname "$0")/platform.sh"
start=$(now)
only=${ONLY:-platform}
limit=${UP_TIMEOUT:-300} # seconds to wait for everything to be ready

case $only in
platform | components | index) ;;
*)
	echo "ONLY=$only is unknown; there are ONLY=components and ONLY=index" >&2
	exit 2
	;;
esac

local/components/install.sh
one_at_a_time

# What runs: which part of the platform, by which list of processes.
wanted="$only${LARDER_TELEMETRY:+ telemetry} $(cat local/process-compose.yaml local/env.sh | sha256sum | cut -c1-12)"
running= old=' '
if supervisor_pid >/dev/null && [ -n "$(processes)" ]; then
	running=$(cat "$state/run/only" 2>/dev/null || true)
fi
if [ "$running" != "$wanted" ]; then
	# What a killed supervisor left behind, the components alone, or another version's processes.
	LARDER_LOCKED=1 local/bin/down.sh
	running=
fi

# A port that is taken by somebody else: say which, before anything is started.
port_free() {
	local component=$1 address=${2#*://}
	address=${address##*@} address=${address%%/*}
	if [[ " $LARDER_OUTSIDE " == *" $component "* ]]; then return; fi
	if (exec 3<>"/dev/tcp/127.0.0.1/${address##*:}") 2>/dev/null; then
		echo "port ${address##*:}, which $component needs, is taken$(ss -Hltnp "sport = :${address##*:}" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (process \2)/p' | head -1)" >&2
		return 1
	fi
}
if [ -z "$running" ]; then
	taken=0
	while read -r component address; do
		port_free "$component" "$address" || taken=1
	done <<-LIST
		postgres $DATABASE_URL
		redis-stock $STOCK_REDIS_ADDR
		redis-cart $CART_REDIS_ADDR
		elasticsearch $ELASTICSEARCH_URL
		elasticsearch 127.0.0.1:$ELASTICSEARCH_TRANSPORT_PORT
		spanner $SPANNER_EMULATOR_HOST
		spanner $SPANNER_EMULATOR_REST_HOST
		pubsub $PUBSUB_EMULATOR_HOST
	LIST
	if [ "$only" != components ]; then
		while read -r component address; do
			port_free "$component" "$address" || taken=1
		done < <(
			printf '%s %s\n' debezium "$DEBEZIUM_URL" payments "$STRIPE_API_URL" metadata "$GCE_METADATA_HOST" mailsink "$SMTP_ADDR"
			# A program of ours has its address in <NAME>_ADDR.
			local/env.sh "$profile" | sed -n "/SMTP/d; s/^export \([A-Z]*\)_ADDR='\(.*\)'\$/\L\1\E \2/p"
		)
	fi
	[ $taken = 0 ] || exit 1
fi

# All that takes long on a new machine: archives, tools, programs.
for component in elasticsearch debezium; do
	if [[ " $LARDER_OUTSIDE " != *" $component "* ]]; then "local/components/$component.sh" get; fi
done
tools/build.sh process-compose ${LARDER_TELEMETRY:+victoria-metrics} >/dev/null
if [ "$only" != components ]; then
	echo "building the programs"
	local/bin/build.sh
fi

if [ -z "$running" ]; then
	echo "$wanted" >"$state/run/only"
	case $only in
	platform) what=(-n components -n platform ${LARDER_TELEMETRY:+-n telemetry} up) ;;
	components) what=(-n components up) ;;
	index) what=(up debezium productindex productindexeven product user) ;; # and what these depend on
	esac
	# Every process inherits LARDER_SUPERVISED; make down finds by it what a killed supervisor left.
	LARDER_SUPERVISED=$state LARDER_ONLY=$only setsid "$(tools/build.sh process-compose)/process-compose" \
		-f local/process-compose.yaml -U -u "$socket" -L "$state/log/supervisor.log" --disable-dotenv -t=false \
		"${what[@]}" </dev/null >"$state/log/supervisor.out" 2>&1 9>&- &
	echo $! >"$state/run/supervisor.pid"
	echo "starting profile $profile (logs in ${state#"$root"/}/log)"
else
	# What was built anew is ended; the supervisor starts it again. (A restart by command would wait for dependencies,
	# and give up where one of them is just being restarted.)
	while IFS=$'\t' read -r name pid _; do
		program=$(readlink "/proc/$pid/exe" || true)
		program=$state/bin/$(basename "${program% (deleted)}") # deleted: replaced by a new file
		if [ -x "$program" ] && ! cmp -s "$program" "/proc/$pid/exe"; then
			echo "restarting $name, which was built anew"
			kill -TERM "$pid"
			old+="$pid "
		fi
	done < <(processes)
fi

# Wait, and say what becomes ready. What came before, a build above all, doesn't count against the limit.
said=' ' waiting= since=$(now)
while sleep 0.3; do
	waiting= seen=0
	while IFS=$'\t' read -r name pid ready restarts; do
		seen=$((seen + 1))
		if [ "$ready" != Ready ] || [[ $old == *" $pid "* ]]; then
			waiting+=" $name"
		elif [[ $said != *" $name "* ]]; then
			said+="$name "
			if [ -z "$running" ]; then printf '%6s s  %s\n' "$(seconds "$start")" "$name"; fi
		fi
	done < <(processes)
	if [ $seen -gt 0 ] && [ -z "$waiting" ]; then break; fi
	if ! supervisor_pid >/dev/null; then
		echo "the process supervisor ended:" >&2
		tail -5 "$state/log/supervisor.out" >&2
		exit 1
	fi
	if [ $(($(now) - since)) -gt $((limit * 1000)) ]; then
		echo "not ready after $limit s:${waiting:- the process supervisor}" >&2
		for name in $waiting; do
			for log in "$state/log/$name.log" "$state/log/$name-fill.log"; do
				if [ -s "$log" ]; then
					echo "--- ${log#"$root"/}" >&2
					tail -n 3 "$log" >&2
				fi
			done
		done
		exit 1
	fi
done

if [ "$only" = platform ]; then
	echo "shop and API     http://$EDGE_ADDR"
fi
echo "PostgreSQL       ${DATABASE_URL%%\?*}"
echo "Redis            stock $STOCK_REDIS_ADDR, cart $CART_REDIS_ADDR"
echo "Elasticsearch    $ELASTICSEARCH_URL"
echo "Spanner          $SPANNER_EMULATOR_HOST ($SPANNER_DATABASE)"
echo "Pub/Sub          $PUBSUB_EMULATOR_HOST"
if [ "$only" = platform ]; then
	echo "payment provider $STRIPE_API_URL"
	echo "mails            http://$MAILSINK_ADDR"
	echo "scheduled jobs   http://$INVOKER_ADDR/status"
	if [ -n "${LARDER_TELEMETRY-}" ]; then
		echo "traces and logs  http://$VIEWER_ADDR"
		echo "charts           http://$VICTORIAMETRICS_ADDR/vmui/#/dashboards"
	fi
fi
echo "profile $profile is up, all ready, in $(seconds "$start") s"
