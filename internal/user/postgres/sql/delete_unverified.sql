-- Of locked accounts ($1), those that nobody has used since $2: signing in leaves a token, and so does every refresh.
delete from users.accounts a
where a.user_id = any ($1::uuid[]) and not exists (
    select from users.sessions s join users.refresh_tokens t using (session_id) where s.user_id = a.user_id and t.create_time > $2
)
returning a.user_id
