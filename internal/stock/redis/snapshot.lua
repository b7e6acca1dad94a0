-- The epoch that a snapshot is of, or empty: NEEDS_REBUILD. HGETALL follows in the same transaction: passed through a script, the fields of a
-- large store would hold up the server several times as long.
return epoch(redis.call('HGET', KEYS[1], 'ep')) or ''
