-- The price of a product ($1) in a store ($2; empty: everyday) that begins at a time ($3).
select minor_units, valid_to from products.prices
where product_id = $1 and store_id is not distinct from nullif($2, '') and valid_from = $3
