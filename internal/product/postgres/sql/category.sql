select category_id, name, coalesce(parent_id, ''), position from products.categories where category_id = $1
