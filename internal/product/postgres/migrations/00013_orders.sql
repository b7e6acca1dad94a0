-- The orders that products can be listed in, besides that of their ids.

-- +goose Up
create index products_by_name on products.products (status, name, product_id) where delete_time is null;
create index products_by_update_time on products.products (status, update_time, product_id) where delete_time is null;
