-- Locks the products that the lines ($1) name, in key order: what is then compared stays so.
select p.product_id from products.products p where p.product_id = any ($1) order by p.product_id for no key update
