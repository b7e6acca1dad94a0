with old as (delete from products.index_audits where end_time < now() - interval '7 days')
insert into products.index_audits (audit_id, start_time, end_time, checked, findings, in_flight, repaired, lag_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (audit_id) do nothing
