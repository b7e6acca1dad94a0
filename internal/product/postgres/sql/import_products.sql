-- Takes products ($1) in, whose existing rows are locked and whose references exist. What is as it is given isn't touched. Returns how
-- many were added and how many changed. One statement, so that triggers see all of a product. Null status and cost, and empty
-- store_ids: they stay.
with given as materialized (
    select * from jsonb_to_recordset($1::jsonb) as g (product_id text, name text, brand_id text, category_id text, description text,
        size text, gtin text, tags text[], image_uri text, status text, price bigint, currency text, tax_rate_bps int, cost bigint,
        store_ids text[], max_per_shopper int, family_id text, more_image_uris text[], piece_grams int)
), added as (
    insert into products.products (product_id, name, brand_id, category_id, description, size, gtin, tags, image_uri, status,
        currency, tax_rate_bps, cost, max_per_shopper, family_id, more_image_uris, piece_grams)
    select g.product_id, g.name, nullif(g.brand_id, ''), g.category_id, g.description, g.size, g.gtin, g.tags, g.image_uri,
        coalesce(g.status, 'draft'), g.currency, g.tax_rate_bps, g.cost, g.max_per_shopper, nullif(g.family_id, ''),
        g.more_image_uris, g.piece_grams
    from given g
    where not exists (select from products.products p where p.product_id = g.product_id)
    order by g.product_id
    returning product_id
), changed as (
    update products.products p
    set name = g.name, brand_id = nullif(g.brand_id, ''), category_id = g.category_id, description = g.description, size = g.size,
        gtin = g.gtin, tags = g.tags, image_uri = g.image_uri, status = coalesce(g.status, p.status), currency = g.currency,
        tax_rate_bps = g.tax_rate_bps, cost = coalesce(g.cost, p.cost), max_per_shopper = g.max_per_shopper,
        family_id = nullif(g.family_id, ''), more_image_uris = g.more_image_uris, piece_grams = g.piece_grams
    from given g
    where p.product_id = g.product_id
        and (p.name, coalesce(p.brand_id, ''), p.category_id, p.description, p.size, p.gtin, p.tags, p.image_uri, p.status, p.currency,
            p.tax_rate_bps, p.cost, p.max_per_shopper, coalesce(p.family_id, ''), p.more_image_uris, p.piece_grams)
        is distinct from (g.name, g.brand_id, g.category_id, g.description, g.size, g.gtin, g.tags, g.image_uri,
            coalesce(g.status, p.status), g.currency, g.tax_rate_bps, coalesce(g.cost, p.cost), g.max_per_shopper, g.family_id,
            g.more_image_uris, g.piece_grams)
    returning p.product_id
), priced as (
    insert into products.prices (product_id, minor_units)
    select g.product_id, g.price
    from given g left join lateral products.price_in_force(g.product_id, null, statement_timestamp()) q on true
    where q.minor_units is distinct from g.price
    returning product_id
), dropped as (
    delete from products.store_products sp using given g
    where sp.product_id = g.product_id and cardinality(g.store_ids) > 0 and sp.store_id <> all (g.store_ids)
    returning sp.product_id
), placed as (
    insert into products.store_products (product_id, store_id)
    select g.product_id, s.store_id
    from given g join products.stores s on s.store_id = any (g.store_ids)
        or cardinality(g.store_ids) = 0 and not exists (select from products.products p where p.product_id = g.product_id)
    on conflict do nothing
    returning product_id
)
select (select count(*) from added),
    (select count(distinct c.product_id) from (
        select product_id from changed union all select product_id from priced
        union all select product_id from dropped union all select product_id from placed) c
    where c.product_id not in (select product_id from added))
