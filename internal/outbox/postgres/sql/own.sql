update users.outbox_cursor set owner = $2 where owner = $1
