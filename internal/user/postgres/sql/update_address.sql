update users.addresses
set recipient = $3, line1 = $4, line2 = $5, city = $6, postcode = $7, country = $8, phone = $9, update_time = $10
where user_id = $1 and address_id = $2
returning address_id, recipient, line1, line2, city, postcode, country, phone, create_time, update_time
