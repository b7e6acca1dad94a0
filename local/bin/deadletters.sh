#!/bin/bash
# Looks at dead letters and replays them: deadletters.sh list | show | replay, with TOPIC, ID and DATA from make.
. "$(dirname "$0")/platform.sh"
words=("$1")
if [ -n "${TOPIC-}" ]; then words+=(-topic "$TOPIC"); fi
if [ "$1" = replay ] && [ -n "${DATA-}" ]; then words+=(-data "$DATA"); fi
if [ "$1" != list ] && [ -n "${ID-}" ]; then words+=(-- "$ID"); fi
if [ ! -x "$state/bin/deadletters" ]; then local/bin/build.sh; fi
exec "$state/bin/deadletters" "${words[@]}"
