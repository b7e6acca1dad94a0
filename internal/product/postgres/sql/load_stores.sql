with given as (
    select * from jsonb_to_recordset($1::jsonb) as g (store_id text, name text, address_line1 text, city text, postcode text,
        currency text, delivery_fee bigint, free_delivery_from bigint, postcodes text[])
), loaded as (
    insert into products.stores (store_id, name, address_line1, city, postcode, currency, delivery_fee, free_delivery_from)
    select g.store_id, g.name, g.address_line1, g.city, g.postcode, g.currency, g.delivery_fee, g.free_delivery_from from given g
    on conflict (store_id) do update
    set name = excluded.name, address_line1 = excluded.address_line1, city = excluded.city, postcode = excluded.postcode,
        currency = excluded.currency, delivery_fee = excluded.delivery_fee, free_delivery_from = excluded.free_delivery_from
), dropped as (
    delete from products.store_postcodes c using given g where c.store_id = g.store_id and c.outward <> all (g.postcodes)
)
insert into products.store_postcodes (store_id, outward)
select g.store_id, p.outward from given g cross join unnest(g.postcodes) as p (outward)
on conflict do nothing
