select event_id, begin_time, end_time
from users.notices
where user_id = $1
order by begin_time, event_id
limit $2
