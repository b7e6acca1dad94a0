#!/bin/bash
# Builds an image of every program with buildah, on stand-ins of the bases, and starts each by chroot: what has all that it needs would
# serve; here, with no settings, it must name the ones that are missing and end. Builds everything twice: it must be the same.
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
# Distroless has certificates, an account without a shell, and no more.
base=$(b from scratch)
printf 'nonroot:x:65532:65532::/:/sbin/nologin\n' >"$work/passwd"
printf 'nonroot:x:65532:\n' >"$work/group"
b copy -q "$base" "$work/passwd" "$work/group" /etc/ >/dev/null
b copy -q "$base" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ >/dev/null
b commit -q "$base" localhost/base >/dev/null
b rm "$base" >/dev/null

failed=0
fail() { echo "images: $*"; failed=1; }
layer() { b inspect --type image --format '{{index .OCIv1.RootFS.DiffIDs 1}}' "localhost/$1"; }

# starts NAME PATH WORDS: the program of the image runs as the image's user, ends with an error, and says WORDS: what it lacks.
starts() {
	local container said ended=0
	container=$(b from --pull-never "localhost/$1")
	said=$(timeout 30 bash -c '. delivery/lib.sh; work=$1; b run --isolation chroot "$2" "$3"' - "$work" "$container" "$2" 2>&1) || ended=$?
	b rm "$container" >/dev/null
	if [[ $ended = 0 || $ended = 124 || $said != *"$3"* ]]; then fail "$1 ends with $ended and doesn't name $3: $said"; fi
}

for file in "$images"/*; do
	name=$(basename "$file")
	image "$name" "localhost/$name" localhost/base
	if [ "$(b inspect --type image --format '{{.OCIv1.Config.User}}' "localhost/$name")" != 65532:65532 ]; then fail "$name runs as root"; fi
	case $name in
	functions) starts "$name" /program FUNCTION_TARGET ;;
	productindex | productreindex) starts "$name" /program GOOGLE_CLOUD_PROJECT ;;
	migrate) starts "$name" /program DATABASE_URL ;;
	deadletters) starts "$name" /program usage ;;
	storefront | console) starts "$name" /program SITE_URL ;;
	*) starts "$name" /program _ADDR ;;
	esac
	printf 'images: %-15s %6d KiB\n' "$name" $(($(stat -c %s "$file") / 1024))
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
