#!/bin/bash
# Prints the path of axe-core's file, which browser tests look at pages with. It is fetched once, by npm, and taken only if it is the one that
# was chosen here.
set -euo pipefail
version=4.14.1
sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
folder=${XDG_CACHE_HOME:-$HOME/.cache}/larder/axe-$version
file=$folder/axe.min.js
right() { [ -e "$1" ] && echo "$sum  $1" | sha256sum --check --status; }
if ! right "$file"; then
	command -v npm >/dev/null || { echo "missing: npm, which fetches axe-core" >&2; exit 1; }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent "axe-core@$version" >/dev/null)
	tar --extract --gzip --file "$work"/axe-core-*.tgz --directory "$work" package/axe.min.js
	right "$work/package/axe.min.js" || { echo "axe-core $version isn't the file that tools/axe.sh names" >&2; exit 1; }
	mkdir -p "$folder"
	mv "$work/package/axe.min.js" "$file"
fi
echo "$file"
