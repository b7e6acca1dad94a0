#!/bin/bash
# Starts a program of the platform's own: service.sh NAME. It gets the port of its address, and an identity. A function's NAME is in
# lower case; one program has all of them.
# service.sh ready NAME: exit 0 as soon as it answers, 1 after READY_WITHIN seconds; for those that an outside server may stand in for, and the index's pipelines.
# service.sh generation NAME: prints the generation of the index that a pipeline streams to.
if [ "$1" = ready ] || [ "$1" = generation ]; then word=$1 && shift; fi
name_=$1
. "$(dirname "$0")/../components/lib.sh"
name=$name_

# productindex streams to generations 1, 3, 5 and so on, productindexeven to those between, so that two can live side by side while
# a new one is built (reindex.sh). One that has no generation waits for it.
generation=
case $name in
productindex) generation=$(cat "$LARDER_STATE/$name/generation" 2>/dev/null || echo 1) ;;
productindexeven) generation=$(cat "$LARDER_STATE/$name/generation" 2>/dev/null || true) ;;
esac
if [ "${word-}" = generation ]; then echo "$generation" && exit; fi

case $name in
payments) address=$STRIPE_API_URL ;;
metadata) address=$GCE_METADATA_HOST ;;
*)
	variable=${name^^}_ADDR
	address=${!variable}
	;;
esac

if [ "${word-}" = ready ]; then
	if outside; then exit 0; fi
	path=/healthz
	if [[ $name == productindex* ]]; then
		[ -n "$generation" ] || exit 0
		path=/readyz
	fi
	until_ready curl -fsS -m 2 -o /dev/null "http://$(host_of "$address"):$(port_of "$address")$path"
	exit
fi
if outside; then stand_in "$address"; fi

data
not_twice
# Files of those that are no service; they are in the component's folder, which is where we are now.
case $name in
payments)
	export PAYMENTS_JOURNAL=${PAYMENTS_JOURNAL-journal.jsonl}
	# A new Spanner emulator has lost the orders that this provider's payments are for (spanner.sh).
	if [ -e "$LARDER_STATE/run/spanner.incarnation" ] && ! cmp -s "$LARDER_STATE/run/spanner.incarnation" incarnation; then
		rm -f "$PAYMENTS_JOURNAL"*
		cp "$LARDER_STATE/run/spanner.incarnation" incarnation
	fi
	;;
metadata) export METADATA_KEY_FILE=${METADATA_KEY_FILE-key.pem} ;;
edge) export ROUTES_FILE=${ROUTES_FILE-$root/terraform/routes.json} ;;
invoker) export SCHEDULE_FILE=${SCHEDULE_FILE-$root/local/schedule.json} ;;
# All share this machine's processors: 28 searches at once, 70 % of this, are a seventh of a second of two of them.
search) export MAX_CONCURRENT=${MAX_CONCURRENT-40} ;;
esac
# Where Cloud Run gives a service one processor (terraform/modules), it has one here as well, as far as Go goes (decision 0401).
case $name in
payments | metadata | edge | invoker | productindex* | checkout | product | search) ;;
*) export GOMAXPROCS=${GOMAXPROCS-1} ;;
esac
program=$name
if [[ $name == productindex* ]]; then
	if [ -z "$generation" ]; then
		echo "no generation of the index is streamed to by $name"
		exec sleep infinity
	fi
	program=productindex
	export SUBSCRIPTION=productindex-$generation INDEX=products-$generation
	export ELASTICSEARCH_URL=${PIPELINES_ELASTICSEARCH_URL:-$ELASTICSEARCH_URL}
fi
for function in $LARDER_FUNCTIONS; do
	if [ "${function,,}" = "$name" ]; then
		export FUNCTION_TARGET=$function
		program=functions
	fi
done
PORT=$(port_of "$address")
SERVICE_ACCOUNT=$name@$SERVICE_ACCOUNT_DOMAIN
export PORT SERVICE_ACCOUNT
exec "$LARDER_STATE/bin/$program"
