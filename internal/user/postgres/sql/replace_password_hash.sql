-- Only over the hash that was read: a password changed in between stays.
update users.accounts
set password_hash = $3, update_time = $4
where user_id = $1 and password_hash = $2
