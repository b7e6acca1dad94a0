-- Ends a guest cart that its taker has put into a cart of their own.
local user = ARGV[4]

if redis.call('HGET', key, 'taken') == user then
  redis.call('DEL', key)
end
return {'OK', {}}
