-- Active products after an id ($2), of a category and those below it ($1; empty: of all), at most $3.
with recursive below (category_id) as (
    select c.category_id::text from products.categories c where c.category_id = $1
    union
    select c.category_id::text from products.categories c join below b on c.parent_id = b.category_id
)
select product_id, name, brand_id, brand, category_id, description, size, gtin, tags, image_uri, status, currency, price,
    tax_rate_bps, store_ids, create_time, update_time, version, max_per_shopper
from products.shown_products
where status = 'active' and product_id > $2 and ($1 = '' or category_id in (select b.category_id from below b))
order by product_id
limit $3
