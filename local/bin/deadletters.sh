#!/bin/bash
# Looks at dead letters and replays them: deadletters.sh list | show | replay | replay-all, with TOPIC, ID and DATA from make.
. "$(dirname "$0")/platform.sh"
words=("$1")
if [ "$1" = replay-all ]; then words=(replay -all); fi
if [ -n "${TOPIC-}" ]; then words+=(-topic "$TOPIC"); fi
if [ "$1" = replay ] && [ -n "${DATA-}" ]; then words+=(-data "$DATA"); fi
if [ "$1" != list ] && [ "$1" != replay-all ] && [ -n "${ID-}" ]; then words+=(-- "$ID"); fi
if [ ! -x "$state/bin/deadletters" ]; then local/bin/build.sh; fi
exec "$state/bin/deadletters" "${words[@]}"
