select a.user_id, coalesce(a.email, a.claimed_email), a.email is not null, a.display_name, a.password_hash, a.roles, a.version, a.create_time
from users.mail_tokens t
join users.accounts a using (user_id)
where t.token_hash = $1 and t.purpose = $2 and t.expire_time > $3
