-- Whether an id is or was a product's: also one whose row was removed by hand has left its document.
select exists (select from products.products where product_id = $1)
    or exists (select from products.catalog_documents where product_id = $1)
