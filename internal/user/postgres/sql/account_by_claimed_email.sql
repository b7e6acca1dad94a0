-- Of all that claim the address, the newest.
select user_id, claimed_email, false, display_name, password_hash, roles, version, create_time
from users.accounts
where claimed_email = $1
order by create_time desc
limit 1
