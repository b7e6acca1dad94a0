insert into users.accounts (user_id, claimed_email, display_name, password_hash, roles, create_time, update_time)
values ($1, $2, $3, $4, $5, $6, $6)
