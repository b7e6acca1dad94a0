# Read in by the scripts that buildah makes images with, here and in Cloud Build.
# shellcheck shell=bash

images=.larder/images # the programs, by delivery/programs.sh

# b COMMAND...: buildah without a daemon, and without rights that a container of Cloud Build doesn't have.
b() { buildah --root "${work:?}/root" --runroot "$work/run" --storage-driver vfs "$@"; }

# image PROGRAM TAG [BASE]: the image of a program of ours. The same program gives the same image.
image() {
	b bud -q --isolation chroot --timestamp "${SOURCE_DATE_EPOCH:-0}" ${3:+--pull-never --build-arg BASE="$3"} \
		--build-arg PROGRAM="$1" -f Dockerfile -t "$2" "$images" >/dev/null
}

# template TAG LAUNCHER: the image of the pipelines' flex template.
template() {
	b bud -q --isolation chroot --timestamp "${SOURCE_DATE_EPOCH:-0}" "${@:3}" \
		--build-arg LAUNCHER="$2" -f pipelines/Dockerfile -t "$1" "$images" >/dev/null
}
