select relay_id, seen_time from users.outbox_relays
