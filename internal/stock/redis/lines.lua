-- Prepended, after store.lua, to the scripts that end holds or add entries.

-- Gives out product, quantity and limit, which is empty for none.
local function each_line(lines)
  return string.gmatch(lines, '([^=,]+)=(-?%d+)/?(%d*)')
end

-- Adds quantities to the stock, the sum of some lists of lines, and tells who turned available or unavailable.
local function add(e, lists)
  local sums, products = {}, {}
  for _, lines in ipairs(lists) do
    for product, quantity in each_line(lines) do
      if not sums[product] then products[#products + 1] = product end
      sums[product] = (sums[product] or 0) + tonumber(quantity)
    end
  end
  local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
  for _, product in ipairs(products) do
    local sum = sums[product]
    if sum ~= 0 then
      local now = redis.call('HINCRBY', KEYS[1], 'stock:' .. product, sum)
      local before = now - sum
      if before <= 0 and now > 0 then flip(e, seq, product, 1) end
      if before > 0 and now <= 0 then flip(e, seq, product, 0) end
    end
  end
end

local function forget(order)
  redis.call('HDEL', KEYS[1], 'hold:' .. order)
  redis.call('ZREM', KEYS[2], order)
end

-- Deletes a hold; with give_back its stock may be promised again.
local function end_hold(order, held, give_back)
  if give_back then
    local e, _, _, lines = parse_hold(held)
    add(e, {lines})
  end
  forget(order)
end
