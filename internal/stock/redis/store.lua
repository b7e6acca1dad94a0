-- Prepended to every script. All of a store's state is one hash, KEYS[1], so that it vanishes together (rule 2):
--   ep             "<epoch>|<instance>": the epoch that the stock was loaded under, and the server that it was loaded on
--   seq            grows with every change of stock; makes tokens of holds and versions of flips
--   stock:<P>      how many of P may still be promised
--   hold:<O>       "<epoch>|<token>|<deadline in ms>|<lines>", lines being "P=quantity,..." in order of P;
--                  "P=quantity/limit" is a line that may be taken down to -limit, and begins at zero
--   applied:<id>   ledger entries added since the load; applied counts them
-- KEYS[2], holds by deadline, and KEYS[3], the stream of flips, are hints: both can be made anew from the hash.

local function instance()
  -- Rule 1: a master's master_replid is new with every start and every promotion. A replica has its master's, but isn't one.
  -- It has 40 digits. A plain find costs a fraction of a pattern, and every reservation comes by here.
  local info = redis.call('INFO', 'replication')
  local _, replid = string.find(info, '\nmaster_replid:', 1, true)
  if not replid or not string.find(info, '\nrole:master', 1, true) then return nil end
  return string.sub(info, replid + 1, replid + 40)
end

-- The epoch that is valid on this server, or nil. It has 20 digits.
local function epoch(ep)
  if not ep then return nil end
  local e, loaded_on = string.sub(ep, 1, 20), string.sub(ep, 22)
  if #e < 20 or loaded_on ~= instance() then return nil end
  return e
end

local function parse_hold(held)
  return string.match(held, '^(%d+)|(%d+)|(%d+)|(.*)$')
end

-- Slots and limits aren't products, and have a colon: nobody is told of them.
local function flip(e, seq, product, available)
  if string.find(product, ':', 1, true) then return end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', '100000', '*', 'epoch', e, 'seq', seq, 'product', product, 'available', available)
end
