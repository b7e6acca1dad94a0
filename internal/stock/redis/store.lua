-- Prepended to every script. All of a store's state is one hash, KEYS[1], so that it vanishes together (rule 2):
--   ep             "<epoch>|<instance>": the epoch that the stock was loaded under, and the server that it was loaded on
--   seq            grows with every change of stock; makes tokens of holds and versions of flips
--   stock:<P>      how many of P may still be promised
--   hold:<O>       "<epoch>|<token>|<deadline in ms>|<lines>", lines being "P=quantity,..." in order of P;
--                  "P=quantity/limit" is a line that may be taken down to -limit, and begins at zero
--   applied:<id>   ledger entries added since the load; applied counts them
-- KEYS[2], holds by deadline, and KEYS[3], the stream of flips, are hints: both can be made anew from the hash.

local function instance()
  -- Rule 1: run_id is new with every process, master_replid with every promotion. run_id alone survives a failback.
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  if not run or not replid then return nil end
  return run .. replid
end

-- The epoch that is valid on this server, or nil.
local function epoch(ep)
  if not ep then return nil end
  local e, loaded_on = string.match(ep, '^(%d+)|(%w+)$')
  if not e or loaded_on ~= instance() then return nil end
  return e
end

-- Gives out product, quantity and limit, which is empty for none.
local function each_line(lines)
  return string.gmatch(lines, '([^=,]+)=(-?%d+)/?(%d*)')
end

local function parse_hold(held)
  return string.match(held, '^(%d+)|(%d+)|(%d+)|(.*)$')
end

-- Slots and limits aren't products, and have a colon: nobody is told of them.
local function flip(e, seq, product, available)
  if string.find(product, ':', 1, true) then return end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', '100000', '*', 'epoch', e, 'seq', seq, 'product', product, 'available', available)
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

-- Deletes a hold; with give_back its stock may be promised again.
local function forget(order)
  redis.call('HDEL', KEYS[1], 'hold:' .. order)
  redis.call('ZREM', KEYS[2], order)
end

local function end_hold(order, held, give_back)
  if give_back then
    local e, _, _, lines = parse_hold(held)
    add(e, {lines})
  end
  forget(order)
end
