-- Adds a price ($5) to a product ($1) in a store ($2; empty: everyday) from a time ($3) until another ($4; null: until one begins),
-- unless it would have begun longer than $6 ago.
insert into products.prices (product_id, store_id, valid_from, valid_to, minor_units)
select $1, nullif($2, ''), $3, $4, $5 where $3::timestamptz >= clock_timestamp() - $6::interval
