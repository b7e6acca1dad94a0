-- What a store ($1) tells under an epoch ($2) of products ($3, $4, $5), of which the last word on each counts. Unknown products
-- are left out; in key order, as everybody takes locks. A word that isn't later than the known one changes nothing.
insert into products.availability (product_id, store_id, available, epoch, sequence)
select distinct on (p.product_id) p.product_id, $1, t.available, $2, t.sequence
from unnest($3::text[], $4::bool[], $5::bigint[]) as t (product_id, available, sequence)
join products.products p on p.product_id = t.product_id
order by p.product_id, t.sequence desc
on conflict (product_id, store_id) do update
set available = excluded.available, epoch = excluded.epoch, sequence = excluded.sequence
where (excluded.epoch, excluded.sequence) > (availability.epoch, availability.sequence)
