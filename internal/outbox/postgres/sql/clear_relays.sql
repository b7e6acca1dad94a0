delete from users.outbox_relays where seen_time < clock_timestamp() - interval '1 day'
