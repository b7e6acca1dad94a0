select audit_id, start_time, end_time, checked, findings, in_flight, repaired, lag_ms, running, documents
from products.index_audits
order by end_time desc
limit $1
