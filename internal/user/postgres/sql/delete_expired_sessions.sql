delete from users.sessions where user_id = $1 and expire_time <= $2
