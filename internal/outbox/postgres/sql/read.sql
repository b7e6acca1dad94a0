-- Above the position ($1, $2), where '' is behind all of $1, and up to the bound $3. The comparison of rows is what the index can do.
select event_id, xact, write_time, topic, type, subject, data, traceparent
from users.outbox
where (xact, event_id) > (case $2 when '' then $1 + 1 else $1 end, $2) and xact <= $3
order by xact, event_id
limit $4
