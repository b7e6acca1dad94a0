delete from users.accounts where user_id = $1
