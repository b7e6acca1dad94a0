insert into users.signing_keys (kid, private_key, create_time, expire_time) values ($1, $2, $3, $4)
