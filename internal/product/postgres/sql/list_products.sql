-- Products of a status ($4) after an id ($2), at most $3; where they aren't empty, of a category and those below it ($1), of a brand ($5),
-- with a tag ($6), and in the assortment of a store ($7).
with recursive below (category_id) as (
    select c.category_id::text from products.categories c where c.category_id = $1
    union
    select c.category_id::text from products.categories c join below b on c.parent_id = b.category_id
)
select product_id, name, brand_id, brand, category_id, description, size, gtin, tags, image_uri, status, currency, price,
    tax_rate_bps, store_ids, create_time, update_time, version, max_per_shopper
from products.shown_products
where status = $4 and product_id > $2 and ($1 = '' or category_id in (select b.category_id from below b))
    and ($5 = '' or brand_id = $5) and ($6 = '' or tags @> array[$6])
    and ($7 = '' or exists (select from products.store_products sp where sp.product_id = shown_products.product_id and sp.store_id = $7))
order by product_id
limit $3
