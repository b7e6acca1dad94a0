-- Takes the price of a product ($1) in a store ($2; empty: everyday) back that would begin at a time ($3) still to come.
delete from products.prices
where product_id = $1 and store_id is not distinct from nullif($2, '') and valid_from = $3 and valid_from > clock_timestamp()
