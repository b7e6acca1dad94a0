-- What of the lines ($2) of an import ($1) can't go in: a line, the field, the reason and what is wrong.
with given as materialized (
    select * from jsonb_to_recordset($2::jsonb) as g (line bigint, product_id text, brand_id text, category_id text, store_ids text[])
)
select g.line, 'category_id', 'CATEGORY_NOT_FOUND', 'no such category'
from given g where not exists (select from products.categories c where c.category_id = g.category_id)
union all
select g.line, 'brand_id', 'BRAND_NOT_FOUND', 'no such brand'
from given g where g.brand_id <> '' and not exists (select from products.brands b where b.brand_id = g.brand_id)
union all
select g.line, 'store_ids', 'STORE_NOT_FOUND', 'no such store'
from given g
where exists (select from unnest(g.store_ids) as w (store_id) where not exists (select from products.stores s where s.store_id = w.store_id))
union all
-- Deleted, or a row that was removed by hand and has left its document.
select g.line, 'product_id', 'ALREADY_EXISTS', 'was another product''s'
from given g
where exists (select from products.products p where p.product_id = g.product_id and p.delete_time is not null)
    or exists (select from products.catalog_documents d where d.product_id = g.product_id)
        and not exists (select from products.products p where p.product_id = g.product_id)
union all
select g.line, 'product_id', 'INVALID_ARGUMENT', 'is in line ' || l.line || ' too'
from given g join products.import_lines l on l.import_id = $1 and l.product_id = g.product_id and l.line <> g.line
order by 1, 2
