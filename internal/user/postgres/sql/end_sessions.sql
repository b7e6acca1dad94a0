update users.sessions set end_time = $2 where user_id = $1 and end_time is null
