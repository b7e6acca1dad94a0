delete from users.refresh_tokens where session_id = $1 and expire_time <= $2
