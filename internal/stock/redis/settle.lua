-- Rule 5. The order is sold: the very hold that it was sold under is deleted and its stock stays sold; any other hold of it
-- is deleted and its stock given back. ARGV: order, epoch and token of the Orders row.
local held = redis.call('HGET', KEYS[1], 'hold:' .. ARGV[1])
if not held then
  forget(ARGV[1]) -- the index may know what the hash doesn't
  return 'NONE'
end
local e, token = parse_hold(held)
if e == ARGV[2] and token == ARGV[3] then
  end_hold(ARGV[1], held, false)
  return 'SETTLED'
end
end_hold(ARGV[1], held, true)
return 'RETURNED'
