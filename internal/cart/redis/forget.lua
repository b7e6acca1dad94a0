-- Deletes the cart, whatever is in it.
if redis.call('EXISTS', key) == 1 and (redis.call('HGET', key, 'owner') or 'user') == owner then
  redis.call('DEL', key)
end
return {'OK', {}}
