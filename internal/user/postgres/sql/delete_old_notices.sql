delete from users.notices where user_id = $1 and begin_time <= $2
