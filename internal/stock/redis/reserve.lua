-- Rule 3. Takes all lines or none. ARGV: order, deadline in ms, minimal epoch, lines; then the same lines once more, taken apart, since this
-- script is the busiest: how many they are, their fields, their quantities, and, if there are limits among them, their limits, 0 for none.
-- Answers "epoch|token", held | {NEEDS_REBUILD} | {OTHER_LINES} | {UNSTOCKED, product, ...} | {INSUFFICIENT, product, left, ...}
local order, deadline, min_epoch, lines, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local fields, quantities, limits = 5, 5 + n, 5 + 2 * n
local limited = #ARGV > limits

local state = redis.call('HMGET', KEYS[1], 'ep', 'seq', 'hold:' .. order, unpack(ARGV, fields + 1, fields + n))

local e = epoch(state[1])
if not e or e < min_epoch then return {'NEEDS_REBUILD'} end

if state[3] then
  local held_e, token, _, held_lines = parse_hold(state[3])
  if held_lines ~= lines then return {'OTHER_LINES'} end
  return held_e .. '|' .. token
end

local token = (state[2] or 0) + 1
local change = {'seq', token, 'hold:' .. order, e .. '|' .. token .. '|' .. deadline .. '|' .. lines}
local unstocked, short, sold_out
for i = 1, n do
  local field, left = ARGV[fields + i], state[3 + i]
  local low = limited and -ARGV[limits + i] or 0
  if low < 0 then left = left or 0 end
  if not left then
    unstocked = unstocked or {'UNSTOCKED'}
    unstocked[#unstocked + 1] = string.sub(field, 7)
  else
    local after = left - ARGV[quantities + i]
    if after < low then
      short = short or {'INSUFFICIENT'}
      short[#short + 1] = string.sub(field, 7)
      short[#short + 1] = string.format('%.0f', left - low)
    elseif after == 0 then
      sold_out = sold_out or {}
      sold_out[#sold_out + 1] = string.sub(field, 7)
    end
    change[3 + 2 * i] = field
    change[4 + 2 * i] = after
  end
end
if unstocked or short then return unstocked or short end

redis.call('HSET', KEYS[1], unpack(change))
redis.call('ZADD', KEYS[2], deadline, order)
if sold_out then
  for _, product in ipairs(sold_out) do flip(e, token, product, 0) end
end
return e .. '|' .. token
