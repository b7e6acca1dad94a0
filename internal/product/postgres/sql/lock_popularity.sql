-- The products among these ($1) whose popularity isn't the given one ($2) yet, locked in key order.
select p.product_id
from products.products p join unnest($1::text[], $2::int[]) as g (product_id, popularity) on p.product_id = g.product_id
where p.popularity <> g.popularity and p.delete_time is null
order by p.product_id
for no key update of p
