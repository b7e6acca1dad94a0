#!/bin/bash
# Builds a new generation of the search index beside the live one and lets search read it: reindex.sh
# Goes back to the generation before:                                                     reindex.sh back
# Deletes the generation that isn't live:                                                 reindex.sh retire
# It can be given again, also after it was broken off.
. "$(dirname "$0")/platform.sh"
if [ ! -x "$state/bin/productreindex" ]; then local/bin/build.sh; fi

reindex() { LOG_LEVEL=${LOG_LEVEL:-WARN} "$state/bin/productreindex" "$@"; }

# slot_of GENERATION: the process that streams to it.
slot_of() { if [ $(($1 % 2)) = 1 ]; then echo productindex; else echo productindexeven; fi; }

# stream SLOT GENERATION: lets a pipeline stream to a generation; to an empty one, to none.
stream() {
	mkdir -p "$state/$1"
	if [ "$(local/bin/service.sh generation "$1")" = "$2" ]; then return; fi
	echo "$2" >"$state/$1/generation"
	# Its supervisor starts it again. The old one has ended when this returns.
	local/bin/survivors.sh end "$state" "$1"
	for ((i = 0; i < 120; i++)); do
		if [ -n "$(local/bin/survivors.sh list "$state" "$1")" ] && READY_WITHIN=0 local/bin/service.sh ready "$1"; then return; fi
		sleep 0.5
	done
	echo "$1 isn't ready; its log: make logs NAME=$1" >&2
	exit 1
}

# number FILTER: the generation that a filter of jq selects.
number() { reindex list | jq -r "[.[] | select($1)][-1].generation // empty"; }

start=$(now)
case ${1-} in
'')
	new=$(reindex begin | jq -r .generation)
	echo "generation $new is begun"
	stream "$(slot_of "$new")" "$new"
	printf '%6s s  changes are streamed to it\n' "$(seconds "$start")"
	copied=$(reindex copy "$new")
	printf '%6s s  copied: %s\n' "$(seconds "$start")" "$copied"
	report=$(reindex switch "$new") || { echo "$report" >&2; exit 1; }
	printf '%6s s  audited: %s\n' "$(seconds "$start")" "$report"
	echo "search reads generation $new; make reindex-back goes back, make reindex-retire deletes the one before"
	;;
back)
	other=$(number '.live | not')
	if [ -z "$other" ]; then echo "there is no other generation" >&2; exit 1; fi
	report=$(reindex switch "$other") || { echo "$report" >&2; exit 1; }
	echo "search reads generation $other: $report"
	;;
retire)
	other=$(number '.live | not')
	if [ -z "$other" ]; then echo "there is none that isn't live" >&2; exit 1; fi
	stream "$(slot_of "$other")" ''
	reindex retire "$other"
	echo "generation $other is deleted"
	;;
*)
	echo "usage: reindex.sh [back | retire]" >&2
	exit 2
	;;
esac
