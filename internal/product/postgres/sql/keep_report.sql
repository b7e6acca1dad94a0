with old as (delete from products.index_audits where end_time < now() - interval '7 days')
insert into products.index_audits as told (audit_id, start_time, end_time, checked, findings, in_flight, repaired, lag_ms, running, documents)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (audit_id) do update set (end_time, checked, findings, in_flight, repaired, lag_ms, running, documents) =
    (excluded.end_time, excluded.checked, excluded.findings, excluded.in_flight, excluded.repaired, excluded.lag_ms, excluded.running, excluded.documents)
where told.running
