-- A store ($1) delivers to these outward codes ($2).
with dropped as (
    delete from products.store_postcodes where store_id = $1 and outward <> all ($2::text[])
)
insert into products.store_postcodes (store_id, outward) select $1, c.outward from unnest($2::text[]) as c (outward)
on conflict do nothing
