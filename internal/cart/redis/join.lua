-- Puts the lines of a taken guest cart into a user's cart, once. The user's cart remembers the guest cart for at least as long as
-- that can be taken again, so that a merge that was cut short here, before drop.lua, changes nothing when it is asked again.
local guest, store, generation = ARGV[4], ARGV[5], ARGV[6]
local limit, most = tonumber(ARGV[7]), tonumber(ARGV[8]) -- lines of a cart, pieces of a line
local remembered, bound = tonumber(ARGV[9]), tonumber(ARGV[10]) -- merged carts: for how many milliseconds, and how many
local first = 11 -- from here on products and lines as JSON by turns, in the guest cart's order

local refused = refusal('')
if refused == 'NOT_FOUND' and redis.call('EXISTS', key) == 0 then
  create(store, generation)
  changed()
elseif refused then
  return {refused}
end
if redis.call('HEXISTS', key, 'merged:' .. guest) == 1 then
  return answer()
end

local lines = #products()
if lines == 0 and redis.call('HGET', key, 'store') ~= store then
  redis.call('HSET', key, 'store', store)
  changed()
end
for i = first, #ARGV, 2 do
  local field, line = 'line:' .. ARGV[i], cjson.decode(ARGV[i + 1])
  local quantity = math.min(tonumber(line.quantity), most)
  local before = redis.call('HGET', key, field)
  if before then
    line = cjson.decode(before)
    if quantity > tonumber(line.quantity) then
      line.quantity = string.format('%d', quantity)
      redis.call('HSET', key, field, cjson.encode(line))
      changed()
    end
  elseif lines < limit then
    lines = lines + 1
    line.quantity, line.position = string.format('%d', quantity), redis.call('HGET', key, 'version')
    redis.call('HSET', key, field, cjson.encode(line))
    changed()
  end
end

local merged = {}
for _, field in ipairs(fields('merged:')) do
  local at = tonumber(redis.call('HGET', key, field))
  if at + remembered < tonumber(now) then
    redis.call('HDEL', key, field)
  else
    merged[#merged + 1] = {field = field, at = at}
  end
end
table.sort(merged, function(a, b) return a.at < b.at end)
for i = 1, #merged - bound + 1 do
  redis.call('HDEL', key, merged[i].field)
end
redis.call('HSET', key, 'merged:' .. guest, now)
return answer()
