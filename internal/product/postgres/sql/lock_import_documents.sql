-- Locks the documents of the products ($1). The triggers of one statement would lock them table by table, each in key order, and all
-- together in none.
select from products.catalog_documents d where d.product_id = any ($1) order by d.product_id for update
