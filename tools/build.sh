#!/bin/sh
# Builds the tools of the named modules (folders beside this script) once, and prints the folders of their programs
# joined by colons, so that a caller can write
#
#     PATH="$(tools/build.sh buf protoc):$PATH" buf generate
#
# Programs are kept in the user's cache under the checksum of the module's files: a change of a version
# builds anew, another clone of the repository finds them warm. Each tool has a module of its own, because the
# versions their authors tested with exclude each other, and none of them may move a version of the platform's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/larder/tools
path=

for module in "$@"; do
	sum=$(find "$here/$module" -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-12)
	bin=$cache/$module-$sum/bin
	if [ ! -d "$bin" ]; then
		echo "building the tools of tools/$module (once)" >&2
		new=$cache/$module-$sum.$$
		mkdir -p "$new/bin"
		(cd "$here/$module" && GOFLAGS=-mod=readonly GOWORK=off go build -o "$new/bin/" tool) >&2
		# Whoever is first wins; another build of the same sum is the same.
		mv -T "$new" "$cache/$module-$sum" 2>/dev/null || rm -rf "$new"
	fi
	path=$path${path:+:}$bin
done
echo "$path"
