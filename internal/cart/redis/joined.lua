-- Reads a user's cart that a guest cart was put into.
local guest = ARGV[4]

local refused = refusal('')
if refused then
  return {refused}
end
if redis.call('HEXISTS', key, 'merged:' .. guest) == 0 then
  return {'NOT_FOUND'}
end
return answer()
