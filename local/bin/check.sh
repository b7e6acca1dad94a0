#!/bin/bash
# Checks all that can be checked without running anything. One line for each check, with its time; what fails prints what was
# found, the others still run, and the exit is 1. CHECKS and PACKAGES narrow it down:
#
#     make check CHECKS="gofmt lint" PACKAGES=./internal/cart/...
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

read -ra packages <<<"${PACKAGES:-./...}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ours() { find . -name "$1" -not -path './.*' "${@:2}"; }

gofmt_() {
	ours '*.go' -print0 | xargs -0 gofmt -l >"$work/unformatted" && [ ! -s "$work/unformatted" ] && return
	cat "$work/unformatted"
	echo "these files are not formatted: gofmt -w them"
	return 1
}

# modules: go.mod and go.sum are what the imports need.
modules() {
	go mod tidy -diff >"$work/untidy" && return
	head -50 "$work/untidy"
	echo "go.mod or go.sum is not what the imports need: go mod tidy"
	return 1
}

shell() {
	local scripts first
	if ! command -v shellcheck >/dev/null; then
		if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
			echo "missing: the Debian package shellcheck; run as root: apt-get install shellcheck"
			return 1
		fi
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends shellcheck; } >"$work/apt" 2>&1 </dev/null ||
			{ tail -5 "$work/apt"; return 1; }
	fi
	mapfile -t scripts < <(ours '*.sh'; find .ci -type f)
	for script in "${scripts[@]}"; do
		read -r first <"$script"
		case $first in
		'#!'*) shellcheck --severity=warning --format=gcc "$script" ;;
		*) shellcheck --severity=warning --format=gcc --shell=bash "$script" ;; # read in by the others
		esac || echo "$script" >>"$work/shell"
	done
	[ ! -e "$work/shell" ]
}

# contract: what the protos import, written out of the Go modules, and the programs that read and translate them.
contract() { go run ./api/protodeps .larder/proto && tools=$(tools/build.sh buf protoc) && PATH=$tools:$PATH; }

protos() { contract && buf lint; }

# breaking: against the contract of the last release, nothing is gone, renamed, or of another kind (decision 0280).
breaking() {
	contract && buf breaking api --against api/released.binpb && return
	echo "this breaks who was built for the last release: add a field, a message or a package beside what is there"
	return 1
}

# generated: the code beside the protos and the pages of docs/events are what they give today, and none is left of what is gone.
generated() {
	contract && buf generate --output "$work/fresh" && go run ./internal/openapi "$work/fresh/api/openapi.yaml" api/operations.yaml &&
		mkdir -p "$work/fresh/api/client" && go run ./internal/clientgen api/operations.yaml "$work/fresh/api/client/methods.gen.go" || return
	buf build api -o "$work/contract.binpb" && go run ./internal/eventdocs/generate "$work/contract.binpb" api "$work/fresh/docs/events" || return
	mkdir "$work/committed"
	find api \( -name '*.pb.go' -o -name '*.pb.gw.go' -o -name '*.gen.go' -o -name openapi.yaml \) -exec cp --parents -t "$work/committed" {} +
	cp --parents -rt "$work/committed" docs/events
	(cd "$work" && diff -qr committed fresh) && return
	echo "the generated code or docs/events is not the contract's: make generate"
	return 1
}

# rules: arch_test.go.
rules() { go test -count=1 .; }

# terraform: the configuration, by the real terraform without a cloud.
terraform_() { go run ./terraform/check; }

# delivery: Cloud Build's files, Dockerfiles, and the names in the pages that people deploy by.
delivery() { go run ./delivery/check; }

vet() { go vet "${packages[@]}"; }

lint() {
	local tools
	tools=$(tools/build.sh golangci-lint) && "$tools/golangci-lint" run "${packages[@]}"
}

# In seconds, from what is at once to what takes longest.
failed=()
all=${EPOCHREALTIME/./}
seconds() { printf '%d.%d' $(((${EPOCHREALTIME/./} - $1) / 1000000)) $(((${EPOCHREALTIME/./} - $1) / 100000 % 10)); }
for check in ${CHECKS:-gofmt shell rules modules protos breaking generated delivery terraform vet lint}; do
	name=$check since=${EPOCHREALTIME/./}
	case $check in
	gofmt | terraform) name=${check}_ ;;
	shell | rules | modules | protos | breaking | generated | delivery | vet | lint) ;;
	*) echo "check: there is no check \"$check\"" >&2; exit 2 ;;
	esac
	if ("$name") >"$work/output" 2>&1 </dev/null; then
		echo "check: $check ok ($(seconds "$since") s)"
	else
		cat "$work/output"
		echo "check: $check FAILED ($(seconds "$since") s)"
		failed+=("$check")
	fi
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "check: failed in $(seconds "$all") s: ${failed[*]}"
	exit 1
fi
echo "check: all ok in $(seconds "$all") s"
