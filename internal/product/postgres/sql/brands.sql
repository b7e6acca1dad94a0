-- Brands after an id ($1), at most $2.
select brand_id, name from products.brands where brand_id > $1 order by brand_id limit $2
