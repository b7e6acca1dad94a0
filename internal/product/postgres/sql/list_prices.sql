-- The prices of a product ($1) that are in force now or may be later: not those that are over, nor those that a later one, begun and
-- lasting as long or longer, has replaced for good. The everyday ones first, then by store and time; at most $2.
select coalesce(q.store_id, ''), q.minor_units, q.valid_from, q.valid_to
from products.prices q
where q.product_id = $1 and (q.valid_to is null or q.valid_to > statement_timestamp())
    and not exists (
        select from products.prices r
        where r.product_id = q.product_id and r.store_id is not distinct from q.store_id
            and r.valid_from > q.valid_from and r.valid_from <= statement_timestamp()
            and (r.valid_to is null or r.valid_to >= q.valid_to)
    )
order by q.store_id nulls first, q.valid_from
limit $2
