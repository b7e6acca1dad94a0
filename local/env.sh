#!/bin/sh
# Prints the environment of a profile as lines for a shell:
#
#     eval "$(local/env.sh demo)"
#
# A variable that the caller has set stays as it is: so each component can be an outside one, by one variable.
# Profile test has every port 10000 higher, so that tests run beside a demo.
set -eu

profile=${1:-demo}
case $profile in
demo) base=18000 ;;
test) base=28000 ;;
*)
	echo "local/env.sh: no profile \"$profile\"; there are demo and test" >&2
	exit 2
	;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)

outside=
# set_to NAME VALUE: prints NAME with the caller's value if there is one, else with ours.
set_to() {
	eval "given=\${$1-}"
	printf "export %s='%s'\n" "$1" "$(printf %s "${given:-$2}" | sed "s/'/'\\\\''/g")"
}
# component NAME VARIABLE VALUE: like set_to; a value of the caller's that differs makes the component an outside one.
component() {
	eval "given=\${$2-}"
	if [ -n "$given" ] && [ "$given" != "$3" ]; then
		outside="$outside $1"
	fi
	set_to "$2" "$3"
}
port() { echo $((base + $1)); }
at() { echo "127.0.0.1:$(port "$1")"; }

echo "export LARDER_PROFILE='$profile'"
echo "export LARDER_STATE='$root/.larder/$profile'"

component postgres DATABASE_URL "postgres://larder:larder@$(at 432)/larder?sslmode=disable"
component redis-stock STOCK_REDIS_ADDR "$(at 379)"
component redis-cart CART_REDIS_ADDR "$(at 380)"
component elasticsearch ELASTICSEARCH_URL "http://$(at 200)"
component spanner SPANNER_EMULATOR_HOST "$(at 10)"
component pubsub PUBSUB_EMULATOR_HOST "$(at 85)"
component debezium DEBEZIUM_URL "http://$(at 83)"
component payments STRIPE_API_URL "http://$(at 90)"
component metadata GCE_METADATA_HOST "$(at 91)"
echo "export LARDER_OUTSIDE='${outside# }'"

# Ports of Elasticsearch and the Spanner emulator that no client of the platform uses.
set_to ELASTICSEARCH_TRANSPORT_PORT "$(port 300)"
set_to SPANNER_EMULATOR_REST_HOST "$(at 20)"

set_to EDGE_ADDR "$(at 80)"
set_to USER_ADDR "$(at 101)"
set_to PRODUCT_ADDR "$(at 102)"
set_to SEARCH_ADDR "$(at 103)"
set_to CART_ADDR "$(at 104)"
set_to CHECKOUT_ADDR "$(at 105)"
set_to ORDER_ADDR "$(at 106)"
set_to PAYMENT_ADDR "$(at 107)"
set_to PRODUCTINDEX_ADDR "$(at 111)"

# Who signs tokens: the user service for shoppers, the local metadata server, as Google, for services.
set_to JWKS_URL "http://$(at 101)/.well-known/jwks.json"
set_to SERVICE_JWKS_URL "http://$(at 91)/oauth2/v3/certs"
set_to SERVICE_ACCOUNT_DOMAIN larder-local.iam.gserviceaccount.com
set_to INSECURE_CALLS true
set_to ROUTES_FILE "$root/terraform/routes.json"

set_to STRIPE_API_KEY sk_test_larder
set_to GOOGLE_CLOUD_PROJECT larder-local
set_to SPANNER_DATABASE projects/larder-local/instances/larder/databases/larder
# The emulator breaks under concurrent multiplexed sessions, which the client would choose by itself.
set_to GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS false
set_to GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_FOR_RW false
set_to GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_PARTITIONED_OPS false
