select user_id from users.accounts where user_id = $1 for no key update
