-- Which lines ($3) of an import's ($1) file name which products ($2). Of several lines the first counts.
insert into products.import_lines (import_id, product_id, line)
select $1, g.product_id, g.line from unnest($2::text[], $3::bigint[]) as g (product_id, line)
order by g.product_id, g.line
on conflict do nothing
