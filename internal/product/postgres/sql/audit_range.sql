-- The ids behind one ($1) of all products and of all documents, at most $2, in the index's order.
select product_id from (
    (select p.product_id::text from products.products p where p.product_id collate "C" > $1 order by p.product_id collate "C" limit $2)
    union
    (select d.product_id from products.catalog_documents d where d.product_id collate "C" > $1 order by d.product_id collate "C" limit $2)
) ids
order by product_id collate "C"
limit $2
