select kid, private_key, create_time, expire_time
from users.signing_keys
where expire_time > $1
order by create_time desc, kid
