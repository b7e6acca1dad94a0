-- Above the position ($1, $2), where '' is behind all of $1, and up to the bound $3.
select event_id, xact, write_time, topic, type, subject, data, traceparent
from users.outbox
where xact >= $1 and xact <= $3 and (xact > $1 or $2 <> '' and event_id > $2)
order by xact, event_id
limit $4
