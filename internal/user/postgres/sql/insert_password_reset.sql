insert into users.password_resets (password_reset_id, email, create_time) values ($1, $2, $3)
