update users.notices set end_time = $2 where event_id = $1 and end_time is null
