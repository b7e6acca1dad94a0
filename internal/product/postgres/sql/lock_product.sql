-- Not "for update": that would wait for writers of prices and availability, whose foreign keys hold the row.
select product_id from products.products where product_id = $1 and delete_time is null for no key update
