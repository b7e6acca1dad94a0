#!/bin/bash
# Sees to it that the programs are there which the components and the build need. What is a Debian package is installed
# where the caller is root; all else, and all where the caller isn't, is named in one line each, and the exit is 1.
# An outside component (local/env.sh) needs no program here. Arguments name what a caller needs besides, as PROGRAM:PACKAGE.
. "$(dirname "$0")/lib.sh"
eval "$("$root/local/env.sh" "${PROFILE:-demo}")"

packages=() missing=()

# package PROGRAM PACKAGE: PROGRAM comes with Debian's PACKAGE.
package() { command -v "$1" >/dev/null || packages+=("$2"); }
here() { [[ " $LARDER_OUTSIDE " != *" $1 "* ]]; }
# quietly FUNCTION ARGUMENT...: true if the component's own check finds what it needs.
has() { ("$@") >/dev/null 2>&1; }

package curl curl
package jq jq
package flock util-linux
# The browser that tests drive, and what fetches axe-core for it (tools/axe.sh).
package chromium chromium
package npm npm
package setpriv util-linux
if [ ! -x /usr/lib/postgresql/15/bin/pg_isready ]; then packages+=(postgresql-client-15); fi
if here postgres && [ ! -x /usr/lib/postgresql/15/bin/postgres ]; then packages+=(postgresql-15); fi
package redis-cli redis-tools
if here redis-stock || here redis-cart; then package redis-server redis-server; fi
if here elasticsearch && [ -z "${ELASTICSEARCH_HOME-}" ] && [ ! -d "$cache/elasticsearch-8.19.8" ]; then
	package mvn maven
	package unzip unzip
fi
if here debezium && [ ! -d "$cache/debezium-server-3.6.0.Final" ]; then package mvn maven; fi
if here pubsub && ! has java_for 17; then packages+=(openjdk-17-jre-headless); fi
for further in "$@"; do package "${further%:*}" "${further#*:}"; done

if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing Debian packages: ${packages[*]}"
		# Debian starts a server with its package; these here have their own ports and data, so that one isn't wanted.
		policy=/usr/sbin/policy-rc.d
		if [ ! -e $policy ]; then
			printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
			trap 'rm -f $policy' EXIT
		fi
		log=$(mktemp)
		if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
			tail -5 "$log" >&2
			missing+=("Debian packages that could not be installed: ${packages[*]}")
		fi
		rm -f "$log"
	else
		missing+=("Debian packages; run as root: apt-get install ${packages[*]}")
	fi
fi

wanted=$(sed -n 's/^go //p' "$root/go.mod")
if ! command -v go >/dev/null; then
	missing+=("Go $wanted or newer (https://go.dev/dl)")
elif [ "$(printf '%s\n' "$wanted" "$(go env GOVERSION | sed 's/^go//')" | sort -V | head -1)" != "$wanted" ] &&
	! (cd "$root" && go version >/dev/null 2>&1); then
	missing+=("Go $wanted or newer (https://go.dev/dl); there is $(go env GOVERSION)")
fi
if (here debezium || here elasticsearch) && ! has java_for 21; then
	missing+=("a JDK 21 or newer for Debezium and Elasticsearch, in /usr/lib/jvm or JAVA_HOME (https://adoptium.net)")
fi
for emulator in "spanner bin/cloud_spanner_emulator/emulator_main cloud-spanner-emulator" \
	"pubsub platform/pubsub-emulator/lib pubsub-emulator"; do
	read -r component file part <<<"$emulator"
	if here "$component" && ! has sdk "$file"; then
		missing+=("the Google Cloud SDK with its $part (gcloud components install $part, or the package google-cloud-cli-${part#cloud-})")
	fi
done

if [ ${#missing[@]} -gt 0 ]; then
	printf 'missing: %s\n' "${missing[@]}" >&2
	exit 1
fi
