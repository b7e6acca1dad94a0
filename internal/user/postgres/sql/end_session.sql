update users.sessions set end_time = $3 where session_id = $1 and user_id = $2 and end_time is null
