#!/bin/bash
# Tells a shop that goods came or went, with curl: publish.sh PROJECT STORE PRODUCT QUANTITY ID
# Needs curl and jq; on Google Cloud gcloud too, which signs in. PUBSUB_EMULATOR_HOST leads it to an emulator.
set -euo pipefail
if [ $# != 5 ]; then
	echo "usage: publish.sh PROJECT STORE PRODUCT QUANTITY ID" >&2
	exit 2
fi
project=$1 store=$2 product=$3 quantity=$4 id=$5

# The data: docs/events/larder.stock.v1.StockAdjusted.md. 64-bit numbers are strings.
data=$(jq -nc --arg store "$store" --arg product "$product" --arg quantity "$quantity" --arg id "$id" '{
	store_id: $store,
	adjustments: [{product_id: $product, quantity: $quantity}],
	reason: $id
}')
# The message: source and id name the event for good, so it may be sent again until it is acknowledged.
message=$(jq -nc --arg data "$data" --arg source "//warehouse.example/$store" --arg subject "stores/$store" --arg id "$id" '{
	messages: [{
		data: ($data | @base64),
		attributes: {
			"ce-specversion": "1.0",
			"ce-type": "larder.stock.v1.StockAdjusted",
			"ce-source": $source,
			"ce-id": $id,
			"ce-subject": $subject,
			"content-type": "application/json"
		}
	}]
}')

if [ -n "${PUBSUB_EMULATOR_HOST-}" ]; then
	url=http://$PUBSUB_EMULATOR_HOST
	token=none
else
	url=https://pubsub.googleapis.com
	token=$(gcloud auth print-access-token)
fi
# The token goes by standard input: arguments can be read by everybody on the machine.
curl --silent --show-error --fail --max-time 60 --retry 5 --header @- --header 'Content-Type: application/json' --data "$message" \
	"$url/v1/projects/$project/topics/stock-adjustments:publish" <<<"Authorization: Bearer $token"
