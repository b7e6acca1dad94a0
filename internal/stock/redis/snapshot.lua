-- All of a store at one instant. Answers {NEEDS_REBUILD} | {OK, epoch, {field, value, ...}}
local e = epoch(redis.call('HGET', KEYS[1], 'ep'))
if not e then return {'NEEDS_REBUILD'} end
return {'OK', e, redis.call('HGETALL', KEYS[1])}
