insert into users.refresh_tokens (token_hash, session_id, create_time, expire_time) values ($1, $2, $3, $4)
