#!/bin/sh
# Prints the environment of a profile as lines for a shell:
#
#     eval "$(local/env.sh demo)"
#
# A variable that the caller has set stays as it is: so each component can be an outside one, by one variable.
# The profiles have other ports each, so that tests, fidelity (make fidelity), the rush (make load) and fuzz (make fuzz-api) run beside a demo. All lie below
# those that the system gives to outgoing connections (32768 and up): one of these would take a port before a part is up.
set -eu

profile=${1:-demo}
case $profile in
demo) base=18000 ;;
test) base=28000 ;;
fidelity) base=20000 ;;
rush) base=24000 ;;
bench) base=26000 ;;
fuzz) base=30000 ;;
*)
	echo "local/env.sh: no profile \"$profile\"; there are demo, test, bench, fidelity, rush and fuzz" >&2
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
# address NAME OFFSET VALUE [COMPONENT]: the same for a VALUE that has the profile's port in place of PORT. A value of
# the caller's that is neither profile's (an environment printed earlier may be still there) makes COMPONENT an outside one.
address() {
	eval "given=\${$1-}"
	case $given in
	'' | "${3%PORT*}$((18000 + $2))${3#*PORT}" | "${3%PORT*}$((28000 + $2))${3#*PORT}" | "${3%PORT*}$((20000 + $2))${3#*PORT}" | "${3%PORT*}$((24000 + $2))${3#*PORT}" | "${3%PORT*}$((26000 + $2))${3#*PORT}" | "${3%PORT*}$((30000 + $2))${3#*PORT}") unset "$1" ;;
	*) outside="$outside ${4-}" ;;
	esac
	set_to "$1" "${3%PORT*}$((base + $2))${3#*PORT}"
}

echo "export LARDER_PROFILE='$profile'"
echo "export LARDER_STATE='$root/.larder/$profile'"

address DATABASE_URL 432 'postgres://larder:larder@127.0.0.1:PORT/larder?sslmode=disable' postgres
address STOCK_REDIS_ADDR 379 127.0.0.1:PORT redis-stock
address CART_REDIS_ADDR 380 127.0.0.1:PORT redis-cart
# Tries to sign in are counted in the carts' server; who has that elsewhere sets both.
address LIMIT_REDIS_ADDR 380 127.0.0.1:PORT
address ELASTICSEARCH_URL 200 http://127.0.0.1:PORT elasticsearch
address SPANNER_EMULATOR_HOST 10 127.0.0.1:PORT spanner
address PUBSUB_EMULATOR_HOST 85 127.0.0.1:PORT pubsub
address DEBEZIUM_URL 83 http://127.0.0.1:PORT debezium
address STRIPE_API_URL 90 http://127.0.0.1:PORT payments
address GCE_METADATA_HOST 91 127.0.0.1:PORT metadata
address SMTP_ADDR 25 127.0.0.1:PORT mailsink
echo "export LARDER_OUTSIDE='${outside# }'"

# Ports of Elasticsearch and the Spanner emulator that no client of the platform uses.
address ELASTICSEARCH_TRANSPORT_PORT 300 PORT
address SPANNER_EMULATOR_REST_HOST 20 127.0.0.1:PORT

address EDGE_ADDR 80 127.0.0.1:PORT
address USER_ADDR 101 127.0.0.1:PORT
address PRODUCT_ADDR 102 127.0.0.1:PORT
address SEARCH_ADDR 103 127.0.0.1:PORT
address CART_ADDR 104 127.0.0.1:PORT
address CHECKOUT_ADDR 105 127.0.0.1:PORT
address ORDER_ADDR 106 127.0.0.1:PORT
address PAYMENT_ADDR 107 127.0.0.1:PORT
address RELAY_ADDR 108 127.0.0.1:PORT
address OUTBOX_ADDR 114 127.0.0.1:PORT
address STOREFRONT_ADDR 109 127.0.0.1:PORT
address CONSOLE_ADDR 110 127.0.0.1:PORT
address PRODUCTINDEX_ADDR 111 127.0.0.1:PORT
address PRODUCTINDEXEVEN_ADDR 112 127.0.0.1:PORT
address INVOKER_ADDR 92 127.0.0.1:PORT
address MAILSINK_ADDR 93 127.0.0.1:PORT

# What processes tell of themselves: traces, logs and metrics by OTLP to the viewer, which has charts of the metrics from victoriametrics.
# Other profiles have none of it, unless LARDER_TELEMETRY is set: what they measure and kill is to be the platform's own.
address VIEWER_ADDR 94 127.0.0.1:PORT
address VICTORIAMETRICS_ADDR 95 127.0.0.1:PORT
if [ "$profile" = demo ] || [ -n "${LARDER_TELEMETRY-}" ]; then
	echo "export LARDER_TELEMETRY='1'"
	set_to OTEL_EXPORTER_OTLP_ENDPOINT "http://127.0.0.1:$((base + 94))"
	set_to OTEL_METRIC_EXPORT_INTERVAL 10000 # ms
elif [ "$profile" = test ]; then
	# Only traces that a test sends in, to the receiver that the test is (test/trace_test.go); until then nobody listens.
	set_to OTEL_EXPORTER_OTLP_ENDPOINT "http://127.0.0.1:$((base + 94))"
	set_to OTEL_TRACES_SAMPLER parentbased_always_off
	set_to OTEL_LOGS_EXPORTER none
	set_to OTEL_METRIC_EXPORT_INTERVAL 10000
elif [ "$profile" = rush ]; then
	# Only metrics, to the receiver that the driver is (load/rush): some are known to the platform alone.
	set_to OTEL_EXPORTER_OTLP_ENDPOINT "http://127.0.0.1:$((base + 94))"
	set_to OTEL_TRACES_EXPORTER none
	set_to OTEL_LOGS_EXPORTER none
	set_to OTEL_METRIC_EXPORT_INTERVAL 5000
fi

# The functions. Each runs as a process of its own, which has the name in lower case.
functions='CapturePayment VoidPayment ApplyStock ClearCart NotifyShopper PaymentWebhook ApplyPaymentEvent AdjustStock
	UpdateAvailability ReapCheckouts ReconcilePayments ReconcileStock FoldLedger ActivatePrices UpdatePopularity AuditIndex ForgetUser
	ReapAccounts'
offset=121
for function in $(echo "$functions" | tr '[:lower:]' '[:upper:]'); do
	address "${function}_ADDR" $offset 127.0.0.1:PORT
	offset=$((offset + 1))
done
echo "export LARDER_FUNCTIONS='$(echo "$functions" | xargs)'"

# Who signs tokens: the user service for shoppers, the local metadata server, as Google, for services.
address JWKS_URL 101 http://127.0.0.1:PORT/.well-known/jwks.json
address SERVICE_JWKS_URL 91 http://127.0.0.1:PORT/oauth2/v3/certs
set_to SERVICE_ACCOUNT_DOMAIN larder-local.iam.gserviceaccount.com
set_to INSECURE_CALLS true
# A sign-in costs 2 cores that 39 processes share less than it costs where only people sign in: OWASP's parameters, not RFC 9106's.
set_to PASSWORD_MEMORY_KIB 19456
set_to PASSWORD_PASSES 2
set_to PASSWORD_LANES 1
# One machine is every shopper's, so nobody's rate is limited, and the edge the only proxy.
set_to ACCOUNT_CALLS_PER_CALLER 100000
set_to TRUSTED_PROXIES 1
set_to RATE_LIMIT 0
set_to ROUTES_FILE "$root/terraform/routes.json"

# The pages for people: where they are found, what they call, and where the payment provider and mails lead back to. The key is public, as
# everything here is.
address SITE_URL 80 http://127.0.0.1:PORT
address API_URL 80 http://127.0.0.1:PORT
address PAYMENT_RETURN_URL 80 http://127.0.0.1:PORT/checkouts/
address MAIL_VERIFY_URL 80 http://127.0.0.1:PORT/verify
address MAIL_RESET_URL 80 http://127.0.0.1:PORT/reset
set_to SESSION_KEYS bGFyZGVyLWxvY2FsLXNlc3Npb25zLTMyLWJ5dGVzISE=
set_to TEST_CARDS true

set_to STRIPE_API_KEY sk_test_larder
# Where the payment provider tells what happened, the secret that it signs with, and those that the function takes.
address WEBHOOK_URL 80 http://127.0.0.1:PORT/v1/webhooks/payments/stripe
set_to WEBHOOK_SECRET whsec_larder
set_to WEBHOOK_SECRETS whsec_larder
set_to MAIL_FROM 'Larder <orders@larder.example>'
set_to GOOGLE_CLOUD_PROJECT larder-local
set_to SPANNER_DATABASE projects/larder-local/instances/larder/databases/larder
# The emulator breaks under concurrent multiplexed sessions, which the client would choose by itself.
set_to GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS false
set_to GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_FOR_RW false
set_to GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_PARTITIONED_OPS false
