#!/bin/bash
# The Redis of virtual stock and locks. It must never evict: a key that is gone is stock that is gone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis.sh"

start() { redis "$STOCK_REDIS_ADDR" --maxmemory-policy noeviction; }
ready() { redis_ready "$STOCK_REDIS_ADDR"; }

wants "$@"
