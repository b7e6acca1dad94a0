#!/bin/bash
# Builds an image of every program with buildah, on stand-ins of the bases, and starts each by chroot: without settings it must name those that
# are missing, and end; what serves must answer by HTTP with the settings of a local platform, whose stores needn't be up. Prints how big each
# program is, and how much memory it takes once it answers. Builds everything twice: it must be the same.
# Needs root and the Debian package buildah; downloads nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v buildah >/dev/null || { echo "missing: the Debian package buildah; run as root: apt-get install buildah" >&2; exit 1; }
. delivery/lib.sh

work=$(mktemp -d)
cleanup() {
	b rm --all >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT
since=$SECONDS

delivery/programs.sh "$images"
# Distroless has certificates, accounts without a shell, and no more. What starts a flex template is root there: Beam asks for its home.
base=$(b from scratch)
printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nonroot:x:65532:65532::/:/sbin/nologin >"$work/passwd"
printf '%s\n' root:x:0: nonroot:x:65532: >"$work/group"
b copy -q "$base" "$work/passwd" "$work/group" /etc/ >/dev/null
b copy -q "$base" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ >/dev/null
b commit -q "$base" localhost/base >/dev/null
b rm "$base" >/dev/null

failed=0
fail() { echo "images: $*"; failed=1; }
layer() { b inspect --type image --format '{{index .OCIv1.RootFS.DiffIDs 1}}' "localhost/$1"; }

# starts NAME PATH WORDS: the program of the image runs as the image's user, ends with an error, and says WORDS: what it lacks.
starts() {
	local container root user said ended=0
	container=$(b from --pull-never "localhost/$1")
	root=$(b mount "$container")
	user=$(b inspect --type image --format '{{.OCIv1.Config.User}}' "localhost/$1")
	said=$(timeout 30 env -i /usr/sbin/chroot --userspec="${user:-0:0}" "$root" "$2" 2>&1) || ended=$?
	b rm "$container" >/dev/null
	if [[ $ended = 0 || $ended = 124 || $said != *"$3"* ]]; then fail "$1 ends with $ended and doesn't name $3: $said"; fi
}

# serves NAME: the program of the image answers, and `memory` is what it then takes, KiB. What has no stores is ready (200), what has them says
# that they aren't (503).
serves() {
	local container root pid code=000 port=28199
	container=$(b from --pull-never "localhost/$1")
	root=$(b mount "$container")
	(
		eval "$(local/env.sh test)"
		export PORT=$port FUNCTION_TARGET=CapturePayment SERVICE_ACCOUNT=$1@$SERVICE_ACCOUNT_DOMAIN OTEL_SDK_DISABLED=true
		exec /usr/sbin/chroot --userspec=65532:65532 "$root" /program
	) >"$work/said" 2>&1 &
	pid=$!
	for _ in {1..150}; do
		code=$(curl -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz") && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
	memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || memory=0
	kill "$pid" 2>/dev/null || true
	wait "$pid" || true
	b rm "$container" >/dev/null
	case $code in 200 | 503) ;; *) fail "$1 answers $code: $(tail -5 "$work/said")" ;; esac
}

for file in "$images"/*; do
	name=$(basename "$file")
	memory=
	image "$name" "localhost/$name" localhost/base
	if [ "$(b inspect --type image --format '{{.OCIv1.Config.User}}' "localhost/$name")" != 65532:65532 ]; then fail "$name runs as root"; fi
	case $name in
	functions) starts "$name" /program FUNCTION_TARGET ;;
	productindex | productreindex) starts "$name" /program GOOGLE_CLOUD_PROJECT ;;
	migrate) starts "$name" /program DATABASE_URL ;;
	deadletters) starts "$name" /program usage ;;
	storefront | console) starts "$name" /program SITE_URL ;;
	*) starts "$name" /program JWKS_URL ;;
	esac
	case $name in
	# These ask their stores before they listen, or don't listen.
	migrate | deadletters | productindex | productreindex | user) ;;
	*) serves "$name" ;;
	esac
	printf 'images: %-15s %6d KiB%s\n' "$name" $(($(stat -c %s "$file") / 1024)) "${memory:+, $memory KiB of memory}"
done
template localhost/template localhost/base --pull-never
starts template /template/pipeline GOOGLE_CLOUD_PROJECT

# Again, from a copy of the sources elsewhere: the same programs, and the same layer of an image.
mkdir "$work/copy"
tar --create --exclude=./.larder --exclude=./.git . | tar --extract --directory "$work/copy"
"$work/copy/delivery/programs.sh" "$work/again"
for file in "$images"/*; do
	cmp "$file" "$work/again/$(basename "$file")" || failed=1
done
first=$(layer cart)
image cart localhost/again localhost/base
if [ "$first" != "$(layer again)" ]; then fail "two builds of cart differ: $first, $(layer again)"; fi
if [ $failed = 0 ]; then echo "images: all start, and two builds are the same ($((SECONDS - since)) s)"; fi
exit $failed
