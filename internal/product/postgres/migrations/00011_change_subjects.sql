-- The audit trail is read by what it is about: a product with its prices and its assortment, a brand, a category, a store with its
-- postcodes. Never the cost: list_changes.sql leaves it out.

-- +goose Up
create function products.change_subject(table_name text, key jsonb) returns text language sql immutable as $$
    select case
        when table_name in ('products', 'prices', 'store_products') then 'products/' || (key ->> 'product_id')
        when table_name in ('stores', 'store_postcodes') then 'stores/' || (key ->> 'store_id')
        when table_name = 'brands' then 'brands/' || (key ->> 'brand_id')
        when table_name = 'categories' then 'categories/' || (key ->> 'category_id')
    end
$$;

create index changes_by_subject on products.changes (products.change_subject(table_name, key), change_id);
-- Its subject finds a row's changes as well.
drop index products.changes_by_key;
