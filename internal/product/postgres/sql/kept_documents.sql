-- The kept documents of a range of ids, behind $1 and up to $2 (empty: to the last), as the log tells of them.
select d.product_id, d.revision, d.document::text
from products.catalog_documents d
where d.product_id collate "C" > $1 and ($2 = '' or d.product_id collate "C" <= $2)
order by d.product_id collate "C"
