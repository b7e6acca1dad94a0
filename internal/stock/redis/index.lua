-- Rule 2: the index of deadlines is a hint. Puts holds into it that it has lost. ARGV: orders.
for _, order in ipairs(ARGV) do
  local held = redis.call('HGET', KEYS[1], 'hold:' .. order)
  if held then
    local _, _, deadline = parse_hold(held)
    redis.call('ZADD', KEYS[2], 'NX', deadline, order)
  end
end
return 'DONE'
