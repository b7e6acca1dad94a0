#!/bin/bash
# Shows that each check of check.sh catches a fault: copies the repository, sees the checks pass there, then plants one fault at
# a time. A check that lets its fault pass, or fails for another reason, fails this.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar --create --exclude=./.larder --exclude=./.git . | tar --extract --directory "$copy" && cd "$copy" || exit

seconds() { printf '%d.%d' $(((${EPOCHREALTIME/./} - $1) / 1000000)) $(((${EPOCHREALTIME/./} - $1) / 100000 % 10)); }
all=${EPOCHREALTIME/./}
planted=0 caught=0

export PACKAGES=./internal/money/...
if ! local/bin/check.sh; then
	echo "check-faults: the checks fail without any fault" >&2
	exit 1
fi

# catches CHECK FILE WORDS FAULT [CHANGE]: with what is read from standard input at the end of FILE, or with sed's CHANGE made to it, CHECK
# fails and says WORDS.
catches() {
	local check=$1 file=$2 words=$3 fault=$4 change=${5-} since=${EPOCHREALTIME/./} output
	planted=$((planted + 1))
	if [ -e "$file" ]; then cp "$file" "$copy.before"; else rm -f "$copy.before"; fi
	if [ -n "$change" ]; then sed -i "$change" "$file"; else cat >>"$file"; fi
	if output=$(CHECKS=$check local/bin/check.sh) || [[ $output != *"$words"* ]]; then
		echo "$output"
		echo "check-faults: $check LETS PASS $fault: it doesn't say \"$words\""
	else
		caught=$((caught + 1))
		echo "check-faults: $check catches $fault ($(seconds "$since") s)"
	fi
	if [ -e "$copy.before" ]; then mv "$copy.before" "$file"; else rm "$file"; fi
}

catches gofmt internal/money/planted.go internal/money/planted.go "a misformatted file" <<'GO'
package money
var  planted  =  1
GO
catches shell local/bin/planted.sh SC2154 "a variable that nobody sets" <<'SH'
#!/bin/bash
echo "$planted"
SH
catches rules internal/cart/planted.go "internal/cart/planted.go: a room reaches another room through its api/ package only" "a forbidden import" <<'GO'
package cart

import _ "larder.dev/internal/product"
GO
catches rules terraform/planted.json "terraform/planted.json: " "malformed JSON" <<'JSON'
{"planted": }
JSON
catches modules go.mod "github.com/google/uuid" "an untidy go.mod" <<'MOD'

require github.com/google/uuid v1.6.0 // indirect
MOD
catches protos api/type/v1/type.proto planted_message "a message's name against the rules" <<'PROTO'

message planted_message {}
PROTO
catches breaking api/order/v1/events.proto 'changed name from "stock_entry_id" to "ledger_entry_id"' "a renamed field of an event" \
	's/string stock_entry_id = 4/string ledger_entry_id = 4/'
catches generated api/type/v1/type.proto "type.pb.go differ" "generated code that is older than its proto" <<'PROTO'

message Planted {}
PROTO
catches generated api/events.yaml "docs/events/larder.order.v1.OrderPicking.md differ" "a page of docs/events that is older than what it is made of" \
	'/larder.order.v1.OrderPicking:/,/sender:/s/sender: .*/sender: nobody/'
catches vet internal/money/planted.go "wrong type string" "a Printf that doesn't fit" <<'GO'
package money

import "fmt"

func Planted() { fmt.Printf("%d", "planted") }
GO
catches lint internal/money/planted.go "(errcheck)" "an error that nobody looks at" <<'GO'
package money

import "os"

// Planted loses an error.
func Planted() { os.Remove("planted") }
GO

# These checks have tables of their own. Delivery's plants one at a time; terraform's all at once, in a copy.
planted=$((planted + 1))
if go run ./delivery/check -faults; then caught=$((caught + 1)); else echo "check-faults: delivery LETS PASS a fault"; fi
planted=$((planted + 1))
if go run ./terraform/check -faults; then caught=$((caught + 1)); else echo "check-faults: terraform LETS PASS a fault"; fi

echo "check-faults: $caught of $planted planted faults caught in $(seconds "$all") s"
[ "$caught" = "$planted" ]
