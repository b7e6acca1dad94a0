-- Rule 8. Adds a ledger entry that was committed under epoch ARGV[2], once. ARGV: entry, epoch, lines, how many entries are remembered.
-- Answers DONE, or NEEDS_REBUILD: not done, a load will have it.
local entry, e, lines, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'ep', 'applied:' .. entry, 'applied')
local loaded = epoch(state[1])
if not loaded or loaded < e then return 'NEEDS_REBUILD' end
if loaded > e then return 'DONE' end -- the load had it
if state[2] then return 'DONE' end
if (tonumber(state[3]) or 0) >= limit then return 'NEEDS_REBUILD' end -- never forget an entry
add(loaded, lines)
redis.call('HSET', KEYS[1], 'applied:' .. entry, 1)
redis.call('HINCRBY', KEYS[1], 'applied', 1)
return 'DONE'
