-- What may still be promised. ARGV: products. Answers {NEEDS_REBUILD} | {OK, epoch, quantity or false, ...}
local fields = {'ep'}
for i, product in ipairs(ARGV) do fields[i + 1] = 'stock:' .. product end
local state = redis.call('HMGET', KEYS[1], unpack(fields))
local e = epoch(state[1])
if not e then return {'NEEDS_REBUILD'} end
local answer = {'OK', e}
for i = 1, #ARGV do answer[2 + i] = state[1 + i] or '' end
return answer
