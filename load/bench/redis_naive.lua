-- Checks and subtracts lines, and nothing else. ARGV: product, quantity, product, quantity, ...
local products = {}
for i = 1, #ARGV, 2 do products[#products + 1] = ARGV[i] end
local left = redis.call('HMGET', KEYS[1], unpack(products))
for i = 1, #products do
  if not left[i] or tonumber(left[i]) < tonumber(ARGV[2 * i]) then return 0 end
end
for i = 1, #products do redis.call('HINCRBY', KEYS[1], products[i], -tonumber(ARGV[2 * i])) end
return 1
