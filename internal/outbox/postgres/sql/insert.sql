insert into users.outbox (event_id, topic, type, subject, data, traceparent) values ($1, $2, $3, $4, $5, $6)
