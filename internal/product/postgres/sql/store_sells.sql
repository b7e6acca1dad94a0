-- Whether a product that isn't deleted is in the assortment of a store ($1).
select exists (
    select from products.store_products sp join products.products p on p.product_id = sp.product_id
    where sp.store_id = $1 and p.delete_time is null
)
