-- Rule 9. Replaces everything in one step: stock, ep, no holds, seq 0, nothing applied. Sent at most once per epoch.
-- The stock lies ready in a hash of its own, KEYS[4], which was written in pieces and vanishes by itself, so that a large store doesn't
-- hold up the server. ARGV: epoch, how many products lie there. Answers DONE | NO_IDENTITY | INCOMPLETE
-- An older load that comes late is let in: no commit accepts its ep, and whoever notices rebuilds (rule 4).
local me = instance()
if not me then return 'NO_IDENTITY' end
local ready = KEYS[4]
if redis.call('HLEN', ready) ~= tonumber(ARGV[2]) then return 'INCOMPLETE' end
redis.call('HSET', ready, 'ep', ARGV[1] .. '|' .. me, 'seq', 0, 'applied', 0)
redis.call('PERSIST', ready)
redis.call('UNLINK', KEYS[1], KEYS[2]) -- RENAME alone would free the old stock here and now
redis.call('RENAME', ready, KEYS[1])
-- Tells the relay to publish the availability of the whole store.
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '100000', '*', 'epoch', ARGV[1], 'load', 1)
return 'DONE'
