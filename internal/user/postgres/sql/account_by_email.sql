select user_id, email, true, display_name, password_hash, roles, version, create_time
from users.accounts
where email = $1
