update products.stores
set name = $2, currency = $3, delivery_fee = $4, free_delivery_from = $5, address_line1 = $6, city = $7, postcode = $8
where store_id = $1
