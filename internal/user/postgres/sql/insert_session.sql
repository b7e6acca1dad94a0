-- Only for the password that was given: the account is locked against a reset, which would end the session, until the session is there.
insert into users.sessions (session_id, user_id, create_time, expire_time)
select $1, user_id, $3, $4 from users.accounts where user_id = $2 and password_hash = $5 for share
