-- Both rows are locked, so that what is read of both is what the one before left: of two refreshes with one token,
-- the second sees the token used.
select s.session_id, s.user_id, s.expire_time, s.end_time is not null,
       t.expire_time, t.use_time, t.successor
from users.refresh_tokens t
join users.sessions s using (session_id)
where t.token_hash = $1
for update of t, s
