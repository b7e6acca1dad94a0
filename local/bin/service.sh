#!/bin/bash
# Starts a program of the platform's own: service.sh NAME. It gets the port of its address, and an identity. A function's NAME is in
# lower case; one program has all of them.
# service.sh ready NAME: exit 0 if its /healthz answers; for those that an outside server may stand in for.
if [ "$1" = ready ]; then word=ready && shift; fi
name_=$1
. "$(dirname "$0")/../components/lib.sh"
name=$name_

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
	exec curl -fsS -m 2 -o /dev/null "http://$(host_of "$address"):$(port_of "$address")/healthz"
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
esac
program=$name
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
