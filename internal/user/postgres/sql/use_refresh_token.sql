update users.refresh_tokens set use_time = $2 where token_hash = $1
