#!/bin/bash
# Makes the schemas anew, for the types that the configuration uses now: after a new type came in, or for another version of the providers.
# Needs node and npm.
set -euo pipefail
cd "$(dirname "$0")"

version=16.12.1 # has the schema of the providers 6.50.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

used() {
	grep -rhoE "^(resource|data) \"google_[a-z0-9_]+\"" ../../terraform --include='*.tf' | sort -u | sed -E 's/ "/_/; s/"//'
}
for provider in google google-beta; do
	archive=$(cd "$work" && npm pack --silent "@cdktf/provider-$provider@$version")
	mkdir "$work/$provider"
	tar xzf "$work/$archive" -C "$work/$provider"
	case $provider in
	google) types=$(used) ;;
	google-beta) types=resource_google_dataflow_flex_template_job ;;
	esac
	# shellcheck disable=SC2086 # a word each
	node schema.mjs "$work/$provider/package/lib" "schema/$provider.json" $types
done
