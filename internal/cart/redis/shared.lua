-- Stands before each script of this folder.
--
-- KEYS[1] is a cart, one hash, so that it expires as a whole:
--   format      the layout's version, '1'
--   generation  random, made when the cart is opened; with it an etag of an expired cart never fits its successor
--   version     counts changes; generation-version is the etag
--   store       the store's id
--   updated     milliseconds since 1970
--   line:<product id>  JSON: quantity, unit_price (minor units), currency and name as put in, all strings, and position, the
--                      version at which the product first came in. Fields of later releases are kept.
-- ARGV[1] is how long an untouched cart lives, ARGV[2] the time now; milliseconds.
-- Every script answers {outcome} or {'OK', all fields}.
local key, lifetime, now = KEYS[1], ARGV[1], ARGV[2]

-- refusal tells why a cart can't be used: it isn't there, a later release has laid it out anew, or it isn't the one of the etag.
local function refusal(etag)
  local found = redis.call('HMGET', key, 'format', 'generation', 'version')
  if not found[1] then
    return redis.call('EXISTS', key) == 0 and 'NOT_FOUND' or 'FORMAT'
  end
  if found[1] ~= '1' then
    return 'FORMAT'
  end
  if etag ~= '' and etag ~= found[2] .. '-' .. found[3] then
    return 'ETAG'
  end
end

local function changed()
  redis.call('HINCRBY', key, 'version', 1)
  redis.call('HSET', key, 'updated', now)
end

local function answer()
  redis.call('PEXPIRE', key, lifetime)
  return {'OK', redis.call('HGETALL', key)}
end

-- products lists the fields of lines.
local function products()
  local lines = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 5) == 'line:' then
      lines[#lines + 1] = field
    end
  end
  return lines
end
