-- Stores that deliver to an outward code ($1), all for an empty one; at most $2.
select s.store_id, s.name, s.currency, s.delivery_fee, s.free_delivery_from,
    array(select c.outward from products.store_postcodes c where c.store_id = s.store_id order by 1),
    s.address_line1, s.city, s.postcode
from products.stores s
where $1 = '' or exists (select from products.store_postcodes c where c.store_id = s.store_id and c.outward = $1)
order by s.store_id
limit $2
