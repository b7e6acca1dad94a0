select a.user_id, a.email, true, a.display_name, a.password_hash, a.roles, a.version, a.create_time
from users.password_resets r
join users.accounts a using (email)
where r.password_reset_id = $1
