#!/bin/bash
# Shows the log of one process and follows it: make logs NAME=checkout.
. "$(dirname "$0")/platform.sh"
file=$state/log/${NAME-}.log
if [ -z "${NAME-}" ] || [ ! -e "$file" ]; then
	echo "usage: make logs NAME=...; logs of profile $profile:" >&2
	ls "$state/log" 2>/dev/null | sed -n 's/^\([a-z-]*\)\.log$/  \1/p' >&2
	exit 2
fi
exec tail -n "${LINES_SHOWN:-200}" -F "$file"
