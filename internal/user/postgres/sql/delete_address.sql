delete from users.addresses where user_id = $1 and address_id = $2
