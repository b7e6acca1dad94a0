insert into users.addresses
    (address_id, user_id, recipient, line1, line2, city, postcode, country, phone, create_time, update_time)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
