-- Takes the moments that have passed, the oldest first, at most $1, and leaves those that another call has. A time that is fixed for
-- the statement: the index can be searched by it.
with due as materialized (
    select a.activation_id from products.price_activations a
    where a.moment <= statement_timestamp()
    order by a.moment, a.product_id
    limit $1
    for update skip locked
)
delete from products.price_activations a using due where a.activation_id = due.activation_id
returning a.product_id
