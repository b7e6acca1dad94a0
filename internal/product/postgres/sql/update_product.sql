-- One statement, so that triggers compute the document once, of all of it. A row that stays as it is isn't touched: version and etag
-- stay too. $13 null: the cost stays; $14 null: the price does.
with changed as (
    update products.products
    set name = $2, brand_id = nullif($3, ''), category_id = $4, description = $5, size = $6, gtin = $7, tags = $8, image_uri = $9,
        status = $10, currency = $11, tax_rate_bps = $12, cost = coalesce($13, cost), max_per_shopper = $16,
        family_id = nullif($17, ''), more_image_uris = $18, piece_grams = $19
    where product_id = $1
        and (name, coalesce(brand_id, ''), category_id, description, size, gtin, tags, image_uri, status, currency, tax_rate_bps, cost,
            max_per_shopper, coalesce(family_id, ''), more_image_uris, piece_grams)
        is distinct from ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, coalesce($13, cost), $16, $17, $18, $19)
), priced as (
    insert into products.prices (product_id, minor_units) select $1, $14::bigint where $14::bigint is not null
), dropped as (
    delete from products.store_products where product_id = $1 and store_id <> all ($15::text[])
)
insert into products.store_products (product_id, store_id)
select $1, s.id from unnest($15::text[]) as s (id)
on conflict do nothing
