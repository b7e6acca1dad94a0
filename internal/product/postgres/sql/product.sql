select product_id, name, brand_id, brand, category_id, description, size, gtin, tags, image_uri, status, currency, price,
    tax_rate_bps, store_ids, create_time, update_time, version, max_per_shopper, family_id,
    more_image_uris, piece_grams
from products.shown_products
where product_id = $1
