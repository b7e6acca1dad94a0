update users.accounts set password_hash = $2, update_time = $3 where user_id = $1
