select address_id, recipient, line1, line2, city, postcode, country, phone, create_time, update_time
from users.addresses
where user_id = $1 and address_id = $2
