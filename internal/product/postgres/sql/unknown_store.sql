select s.id from unnest($1::text[]) as s (id) where s.id not in (select store_id from products.stores) order by 1 limit 1
