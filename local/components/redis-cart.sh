#!/bin/bash
# The Redis of carts. Each cart has an expiry, and when memory is full the cart that would expire first goes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis.sh"

start() { redis "$CART_REDIS_ADDR" --maxmemory 256mb --maxmemory-policy volatile-ttl; }
ready() { redis_ready "$CART_REDIS_ADDR"; }

wants "$@"
