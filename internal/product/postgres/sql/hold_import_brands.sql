-- Holds the brands ($1) that the lines name.
select from products.brands b where b.brand_id = any ($1) order by b.brand_id for share
