with given_back as (update users.outbox_cursor set owner = '' where owner = $1)
delete from users.outbox_relays where relay_id = $1
