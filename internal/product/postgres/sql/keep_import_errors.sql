-- Keeps errors ($2, $3, $4, $5) of an import ($1), 1,000 in all.
insert into products.import_errors (import_id, line, field, reason, description)
select $1, e.line, e.field, e.reason, e.description
from unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) with ordinality as e (line, field, reason, description, position)
where e.position <= 1000 - (select count(*) from products.import_errors k where k.import_id = $1)
order by e.position
