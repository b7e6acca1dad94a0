-- Makes all rows this transaction's, and has them published again from the first one. Of two relays that come here the second one
-- waits for the first, finds the cursor right and does nothing.
with cursor as (
    update users.outbox_cursor
    set system = (select system_identifier from pg_control_system()), xact = 0, event_id = ''
    where system <> (select system_identifier from pg_control_system())
       or xact >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    returning shard
)
update users.outbox
set xact = pg_current_xact_id()::text::bigint
where exists (select from cursor)
