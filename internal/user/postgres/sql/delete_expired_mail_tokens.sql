delete from users.mail_tokens where user_id = $1 and expire_time <= $2
