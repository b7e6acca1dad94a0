-- Rule 9. Replaces everything: stock, ep, no holds, seq 0, nothing applied. Sent at most once per epoch.
-- ARGV: epoch, product, quantity, product, quantity, ... Answers DONE | NO_IDENTITY
-- An older load that comes late is let in: no commit accepts its ep, and whoever notices rebuilds (rule 4).
local me = instance()
if not me then return 'NO_IDENTITY' end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'ep', ARGV[1] .. '|' .. me, 'seq', 0, 'applied', 0)
local batch = {}
for i = 2, #ARGV, 2 do
  batch[#batch + 1] = 'stock:' .. ARGV[i]
  batch[#batch + 1] = ARGV[i + 1]
  if #batch >= 4000 then
    redis.call('HSET', KEYS[1], unpack(batch))
    batch = {}
  end
end
if #batch > 0 then redis.call('HSET', KEYS[1], unpack(batch)) end
-- Tells the relay to publish the availability of the whole store.
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '100000', '*', 'epoch', ARGV[1], 'load', 1)
return 'DONE'
