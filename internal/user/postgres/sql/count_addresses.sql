select count(*) from users.addresses where user_id = $1
