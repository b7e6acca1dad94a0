-- $3 is the version to be changed, null for whichever is there.
update users.accounts
set display_name = $2, version = version + 1, update_time = $4
where user_id = $1 and version = coalesce($3, version)
returning user_id, coalesce(email, claimed_email), email is not null, display_name, password_hash, roles, version, create_time
