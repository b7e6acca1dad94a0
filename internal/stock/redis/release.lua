-- Rule 7d. The order is abandoned: a hold that is there is given back and deleted. ARGV: order.
local held = redis.call('HGET', KEYS[1], 'hold:' .. ARGV[1])
if not held then
  forget(ARGV[1]) -- the index may know what the hash doesn't
  return 'NONE'
end
end_hold(ARGV[1], held, true)
return 'RETURNED'
