insert into users.outbox_relays (relay_id, seen_time)
values ($1, clock_timestamp())
on conflict (relay_id) do update set seen_time = excluded.seen_time
