-- One statement, so that triggers compute the document once, of all of it. Empty $15: every store sells the product.
with added as (
    insert into products.products
        (product_id, name, brand_id, category_id, description, size, gtin, tags, image_uri, status, currency, tax_rate_bps, cost,
            max_per_shopper, family_id, more_image_uris, piece_grams)
    values ($1, $2, nullif($3, ''), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $16, nullif($17, ''), $18, $19)
    returning product_id
), priced as (
    insert into products.prices (product_id, minor_units) select a.product_id, $14 from added a
)
insert into products.store_products (product_id, store_id)
select a.product_id, s.store_id from added a cross join products.stores s
where cardinality($15::text[]) = 0 or s.store_id = any ($15)
