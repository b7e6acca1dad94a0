-- Takes a product's line out.
local etag, product = ARGV[4], ARGV[5]

local refused = refusal(etag)
if refused then
  return {refused}
end
if redis.call('HDEL', key, 'line:' .. product) == 0 then
  return {'NO_ITEM'}
end
changed()
return answer()
