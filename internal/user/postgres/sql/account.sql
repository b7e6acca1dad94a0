select user_id, coalesce(email, claimed_email), email is not null, display_name, password_hash, roles, version, create_time
from users.accounts
where user_id = $1
