-- Of two who use it at once, one deletes it.
delete from users.mail_tokens where token_hash = $1 and user_id = $2 and purpose = $3 and expire_time > $4
