-- Products of a status ($3), at most $2; where they aren't empty, of a category and those below it ($1), of a brand ($4), with a tag ($5),
-- and in the assortment of a store ($6). The order, and what they come after, is added behind.
with recursive below (category_id) as (
    select c.category_id::text from products.categories c where c.category_id = $1
    union
    select c.category_id::text from products.categories c join below b on c.parent_id = b.category_id
)
select product_id, name, brand_id, brand, category_id, description, size, gtin, tags, image_uri, status, currency, price,
    tax_rate_bps, store_ids, create_time, update_time, version, max_per_shopper, family_id,
    more_image_uris, piece_grams
from products.shown_products
where status = $3 and ($1 = '' or category_id in (select b.category_id from below b))
    and ($4 = '' or brand_id = $4) and ($5 = '' or tags @> array[$5])
    and ($6 = '' or exists (select from products.store_products sp where sp.product_id = shown_products.product_id and sp.store_id = $6))
