-- Takes all lines out of the cart of this etag. The cart stays open for its store, and lives no longer by it.
local etag = ARGV[4]

local refused = etag == '' and 'ETAG' or refusal(etag)
if refused then
  return {refused}
end
for _, field in ipairs(products()) do
  redis.call('HDEL', key, field)
end
changed()
return {'OK', {}}
