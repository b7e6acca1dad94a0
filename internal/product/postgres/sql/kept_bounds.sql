-- Every $1th id of the kept documents, in the index's order: where ranges of that many documents end.
select product_id from (
    select d.product_id, row_number() over (order by d.product_id collate "C") as place from products.catalog_documents d
) numbered
where place % $1 = 0
order by product_id collate "C"
