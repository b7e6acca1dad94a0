select session_id, create_time, expire_time, end_time
from users.sessions
where user_id = $1
order by create_time, session_id
limit $2
