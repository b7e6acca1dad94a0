-- A few at a time, and none that somebody else is deleting: the request doesn't wait for it.
delete from users.password_resets
where password_reset_id in (
    select password_reset_id from users.password_resets where create_time <= $1 order by create_time limit 100 for update skip locked
)
