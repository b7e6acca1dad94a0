-- Products that are sold by weight: what a piece typically weighs, in grams, which is what the price is for; 0: sold by the piece. Checkout
-- authorises some more than that costs, and the store weighs when it picks.

-- +goose Up
alter table products.products add column piece_grams int not null default 0 check (piece_grams between 0 and 100000);

create or replace view products.shown_products as
select p.product_id, p.name, coalesce(p.brand_id, '') as brand_id, coalesce(b.name, '') as brand, p.category_id, p.description,
    p.size, p.gtin, p.tags, p.image_uri, p.status, p.currency, coalesce(q.minor_units, 0) as price, p.tax_rate_bps,
    array(select sp.store_id::text from products.store_products sp where sp.product_id = p.product_id order by 1) as store_ids,
    p.create_time, p.update_time, p.version, p.max_per_shopper, coalesce(p.family_id, '') as family_id,
    p.more_image_uris, p.piece_grams
from products.products p
left join products.brands b on b.brand_id = p.brand_id
left join lateral products.price_in_force(p.product_id, null, statement_timestamp()) q on true
where p.delete_time is null;
