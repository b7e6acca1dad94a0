update users.accounts
set email = claimed_email, claimed_email = null, version = version + 1, update_time = $2
where user_id = $1 and claimed_email is not null
returning user_id, email, true, display_name, password_hash, roles, version, create_time
