-- Takes a guest cart for a user: from here on nobody can open it, and only the same user can take it again. It keeps its lines
-- until drop.lua, and no longer for being taken again.
local user = ARGV[4]

local found = redis.call('HMGET', key, 'format', 'owner', 'taken')
if found[2] ~= owner or (found[3] and found[3] ~= user) then
  return {'NOT_FOUND'}
end
if found[1] ~= '1' then
  return {'FORMAT'}
end
if not found[3] then
  redis.call('HSET', key, 'taken', user)
  redis.call('PEXPIRE', key, lifetime)
end
return {'OK', redis.call('HGETALL', key)}
