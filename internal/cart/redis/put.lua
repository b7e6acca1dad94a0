-- Sets a product's line. The offer was read for a store: a cart that has moved since is refused like one that has changed.
local etag, store, product, limit = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local quantity, price, currency, name, substitutable, stock = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]

local refused = refusal(etag)
if refused then
  return {refused}
end
if redis.call('HGET', key, 'store') ~= store then
  return {'ETAG'}
end

local field = 'line:' .. product
local line
local before = redis.call('HGET', key, field)
if before then
  line = cjson.decode(before)
else
  if #products() >= limit then
    return {'FULL'}
  end
  line = {position = redis.call('HGET', key, 'version')}
end
line.quantity, line.unit_price, line.currency, line.name = quantity, price, currency, name
line.substitutable, line.stock = substitutable, stock
redis.call('HSET', key, field, cjson.encode(line))
changed()
return answer()
