insert into users.mail_tokens (token_hash, user_id, purpose, create_time, expire_time) values ($1, $2, $3, $4, $5)
