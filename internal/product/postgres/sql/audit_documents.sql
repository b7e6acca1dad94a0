-- The documents of these products ($1) as they are kept, held against what the tables give: one snapshot of both, one moment. A price
-- that began before the moment and is still to be activated, for no longer than $2, makes a difference that is no fault yet.
with now as materialized (select clock_timestamp() as moment)
select c.product_id, coalesce(d.revision, 0), coalesce(d.deleted, c.deleted),
    case when jsonb_typeof(d.document) = 'object' then d.document end,
    case when d.product_id is null or jsonb_typeof(d.document) <> 'object' then true
    else d.document - 'revision' <> c.document or d.document -> 'revision' is distinct from to_jsonb(d.revision)
        or d.deleted <> c.deleted or d.checksum <> products.checksum(c.document)
    end,
    exists (
        select from products.price_activations a
        where a.product_id = c.product_id and a.moment <= now.moment and a.moment > now.moment - $2::interval
    )
from now
cross join lateral products.compute_documents($1, now.moment) c
left join products.catalog_documents d on d.product_id = c.product_id
where d.product_id is not null or exists (select from products.products p where p.product_id = c.product_id)
order by c.product_id collate "C"
