-- Opens a cart for a store, or moves the one that is there.
local store, generation = ARGV[4], ARGV[5]

local refused = refusal('')
if redis.call('EXISTS', key) == 0 then
  create(store, generation)
  changed()
elseif refused then
  return {refused}
elseif redis.call('HGET', key, 'store') ~= store then
  redis.call('HSET', key, 'store', store)
  changed()
end
return answer()
