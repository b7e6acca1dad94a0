-- Deletes some rows, at most $1, that are published and no longer worth a look.
delete from users.outbox
where event_id in (
    select o.event_id
    from users.outbox o, users.outbox_cursor c
    where o.write_time < now() - interval '7 days' and (o.xact < c.xact or o.xact = c.xact and (c.event_id = '' or o.event_id <= c.event_id))
    order by o.write_time
    limit $1
    for update of o skip locked
)
