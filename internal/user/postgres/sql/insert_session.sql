insert into users.sessions (session_id, user_id, create_time, expire_time) values ($1, $2, $3, $4)
