-- Rule 8. Adds a ledger entry that was committed under epoch ARGV[2], once, and gives back what was held for it: so the entry takes the
-- hold's place in one step. ARGV: entry, epoch, lines, how many entries are remembered, the hold's id.
-- Answers DONE, or NEEDS_REBUILD: not done, a load will have it.
local entry, e, lines, limit, holder = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local state = redis.call('HMGET', KEYS[1], 'ep', 'applied:' .. entry, 'applied', 'hold:' .. holder)
local loaded, held = epoch(state[1]), state[4]
if not loaded or loaded < e then return 'NEEDS_REBUILD' end

local changes = {}
local fresh = loaded == e -- else the load had it
if state[2] then fresh = false end
if fresh then
  if (tonumber(state[3]) or 0) >= limit then return 'NEEDS_REBUILD' end -- never forget an entry
  changes[1] = lines
  redis.call('HSET', KEYS[1], 'applied:' .. entry, 1)
  redis.call('HINCRBY', KEYS[1], 'applied', 1)
end
if held then -- also where the entry was there before: somebody held it again meanwhile
  changes[#changes + 1] = select(4, parse_hold(held))
  forget(holder)
end
if #changes > 0 then add(loaded, changes) end
return 'DONE'
