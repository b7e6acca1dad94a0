-- One statement, so that triggers compute each document once, of all of it.
with given as (
    select * from jsonb_to_recordset($1::jsonb) as g (product_id text, name text, brand_id text, category_id text, description text,
        size text, gtin text, tags text[], image_uri text, status text, currency text, tax_rate_bps int, cost bigint,
        popularity int, max_per_shopper int, prices jsonb, store_ids text[])
), loaded as (
    insert into products.products (product_id, name, brand_id, category_id, description, size, gtin, tags, image_uri, status,
        currency, tax_rate_bps, cost, popularity, max_per_shopper)
    select g.product_id, g.name, g.brand_id, g.category_id, g.description, g.size, g.gtin, g.tags, g.image_uri, g.status,
        g.currency, g.tax_rate_bps, g.cost, g.popularity, g.max_per_shopper
    from given g order by g.product_id
    -- The popularity stays: it is what orders have made of it.
    on conflict (product_id) do update
    set name = excluded.name, brand_id = excluded.brand_id, category_id = excluded.category_id, description = excluded.description,
        size = excluded.size, gtin = excluded.gtin, tags = excluded.tags, image_uri = excluded.image_uri, status = excluded.status,
        currency = excluded.currency, tax_rate_bps = excluded.tax_rate_bps, cost = excluded.cost,
        max_per_shopper = excluded.max_per_shopper
    where (products.name, products.brand_id, products.category_id, products.description, products.size, products.gtin,
            products.tags, products.image_uri, products.status, products.currency, products.tax_rate_bps, products.cost, products.max_per_shopper)
        is distinct from (excluded.name, excluded.brand_id, excluded.category_id, excluded.description, excluded.size, excluded.gtin,
            excluded.tags, excluded.image_uri, excluded.status, excluded.currency, excluded.tax_rate_bps, excluded.cost,
            excluded.max_per_shopper)
), priced as (
    insert into products.prices (product_id, store_id, valid_from, minor_units)
    select g.product_id, q.store_id, q.valid_from, q.minor_units
    from given g cross join jsonb_to_recordset(g.prices) as q (store_id text, valid_from timestamptz, minor_units bigint)
    on conflict (product_id, store_id, valid_from) do update set minor_units = excluded.minor_units
    where prices.minor_units <> excluded.minor_units
), dropped as (
    delete from products.store_products sp using given g where sp.product_id = g.product_id and sp.store_id <> all (g.store_ids)
)
insert into products.store_products (product_id, store_id)
select g.product_id, s.id from given g cross join unnest(g.store_ids) as s (id)
on conflict do nothing
