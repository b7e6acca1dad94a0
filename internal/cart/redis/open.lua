-- Opens a cart for a store, or moves the one that is there.
local store, generation = ARGV[3], ARGV[4]

local refused = refusal('')
if refused == 'NOT_FOUND' then
  redis.call('HSET', key, 'format', '1', 'generation', generation, 'version', 0, 'store', store)
  changed()
elseif refused then
  return {refused}
elseif redis.call('HGET', key, 'store') ~= store then
  redis.call('HSET', key, 'store', store)
  changed()
end
return answer()
