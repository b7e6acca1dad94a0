-- What one store ($1) charges for these products ($2) now.
select p.product_id, p.name, p.size, p.image_uri, p.currency, coalesce(q.minor_units, 0), p.tax_rate_bps,
    p.status = 'active' and q.minor_units is not null and sp.store_id is not null,
    coalesce(v.available, false), p.max_per_shopper, p.piece_grams
from products.products p
left join products.store_products sp on sp.product_id = p.product_id and sp.store_id = $1
left join products.availability v on v.product_id = p.product_id and v.store_id = $1
left join lateral products.price_in_force(p.product_id, $1, statement_timestamp()) q on true
where p.product_id = any ($2) and p.delete_time is null
