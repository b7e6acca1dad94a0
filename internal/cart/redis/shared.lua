-- Stands before each script of this folder.
--
-- KEYS[1] is a cart, one hash, so that it expires as a whole:
--   format      the layout's version, '1'
--   owner       'guest' or 'user'; carts of earlier releases lack it and are users'. It and format mean the same in every layout
--   generation  random, made when the cart is opened; with it an etag of an expired cart never fits its successor
--   version     counts changes; generation-version is the etag
--   store       the store's id
--   updated     milliseconds since 1970
--   taken       of a guest cart that is being merged: the user into whose cart it goes. Nobody can open it any more
--   merged:<guest cart's id>  of a user's cart: when that guest cart was merged into it
--   line:<product id>  JSON: quantity, unit_price (minor units), currency, name, substitutable ("true") and stock (in, out) as put in, all strings, and position, the
--                      version at which the product first came in. Fields of later releases are kept.
-- ARGV[1] is how long an untouched cart lives, ARGV[2] the time now; milliseconds. ARGV[3] is whose cart it must be, 'any' if
-- that doesn't matter.
-- Every script answers {outcome} or {'OK', all fields}.
local key, lifetime, now, owner = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

-- refusal tells why a cart can't be used: it isn't there, or not the owner's, or taken; a later release has laid it out anew; or
-- it isn't the one of the etag.
local function refusal(etag)
  local found = redis.call('HMGET', key, 'format', 'generation', 'version', 'owner', 'taken')
  if redis.call('EXISTS', key) == 0 or (owner ~= 'any' and owner ~= (found[4] or 'user')) or found[5] then
    return 'NOT_FOUND'
  end
  if found[1] ~= '1' then
    return 'FORMAT'
  end
  if etag ~= '' and etag ~= found[2] .. '-' .. found[3] then
    return 'ETAG'
  end
end

-- create makes an empty cart that is for a store.
local function create(store, generation)
  redis.call('HSET', key, 'format', '1', 'owner', owner, 'generation', generation, 'version', 0, 'store', store)
end

local function changed()
  redis.call('HINCRBY', key, 'version', 1)
  redis.call('HSET', key, 'updated', now)
end

local function answer()
  redis.call('PEXPIRE', key, lifetime)
  return {'OK', redis.call('HGETALL', key)}
end

-- fields lists those that begin with a prefix.
local function fields(prefix)
  local found = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, #prefix) == prefix then
      found[#found + 1] = field
    end
  end
  return found
end

-- products lists the fields of lines.
local function products()
  return fields('line:')
end
