-- Rule 3. Takes all lines or none. ARGV: order, deadline in ms, minimal epoch, lines.
-- Answers {HELD, epoch, token} | {NEEDS_REBUILD} | {OTHER_LINES} | {UNSTOCKED, product, ...} | {INSUFFICIENT, product, left, ...}
local order, deadline, min_epoch, lines = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local fields, products, quantities, limits = {'ep', 'seq', 'hold:' .. order}, {}, {}, {}
for product, quantity, limit in each_line(lines) do
  products[#products + 1] = product
  quantities[#quantities + 1] = tonumber(quantity)
  limits[#limits + 1] = tonumber(limit) or false
  fields[#fields + 1] = 'stock:' .. product
end
local state = redis.call('HMGET', KEYS[1], unpack(fields))

local e = epoch(state[1])
if not e or e < min_epoch then return {'NEEDS_REBUILD'} end

if state[3] then
  local held_e, token, _, held_lines = parse_hold(state[3])
  if held_lines ~= lines then return {'OTHER_LINES'} end
  return {'HELD', held_e, token}
end

local unstocked, short = {'UNSTOCKED'}, {'INSUFFICIENT'}
for i, product in ipairs(products) do
  local left = tonumber(state[3 + i])
  if limits[i] then left = (left or 0) + limits[i] end
  if not left then
    unstocked[#unstocked + 1] = product
  elseif left < quantities[i] then
    short[#short + 1] = product
    short[#short + 1] = tostring(left)
  end
end
if #unstocked > 1 then return unstocked end
if #short > 1 then return short end

local token = (tonumber(state[2]) or 0) + 1
local change = {'seq', token, 'hold:' .. order, table.concat({e, token, deadline, lines}, '|')}
for i, product in ipairs(products) do
  local left = (tonumber(state[3 + i]) or 0) - quantities[i]
  change[#change + 1] = 'stock:' .. product
  change[#change + 1] = left
  if left == 0 then flip(e, token, product, 0) end
end
redis.call('HSET', KEYS[1], unpack(change))
redis.call('ZADD', KEYS[2], deadline, order)
return {'HELD', e, tostring(token)}
