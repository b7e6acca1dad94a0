insert into products.stores (store_id, name, currency, delivery_fee, free_delivery_from, address_line1, city, postcode)
values ($1, $2, $3, $4, $5, $6, $7, $8)
