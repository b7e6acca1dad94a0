-- One statement, one snapshot: the bound is below every transaction that was under way in it. The last column tells whether the cursor
-- counts another server's transactions, or such as this server has yet to come to.
select clock_timestamp(), lowest - 1, owner, xact, event_id,
       (select write_time from users.outbox where xact >= lowest order by xact, event_id limit 1),
       system <> system_identifier or xact >= lowest
from users.outbox_cursor,
     pg_control_system(),
     cast(pg_snapshot_xmin(pg_current_snapshot())::text as bigint) as lowest
