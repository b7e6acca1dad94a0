update products.products p set popularity = g.popularity
from unnest($1::text[], $2::int[]) as g (product_id, popularity)
where p.product_id = g.product_id and p.popularity <> g.popularity and p.delete_time is null
