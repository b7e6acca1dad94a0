-- A deleted product keeps its row, and with it held its category and its brand for ever. When those are removed, it lets go of them.

-- +goose Up
alter table products.products
    alter column category_id drop not null,
    add constraint products_category check (category_id is not null or delete_time is not null);
