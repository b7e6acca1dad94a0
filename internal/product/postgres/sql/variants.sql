-- The active products of a family ($1) but for one ($2), the cheapest first.
select p.product_id, p.name, p.size, p.currency, coalesce(q.minor_units, 0)
from products.products p
left join lateral products.price_in_force(p.product_id, null, statement_timestamp()) q on true
where p.family_id = $1 and p.product_id <> $2 and p.status = 'active' and p.delete_time is null
order by q.minor_units nulls last, p.product_id
limit 50
