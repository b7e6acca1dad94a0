-- How much of an import's file is done, for those who watch it. 0: a release began it that counted no bytes, or the file's size wasn't told.

-- +goose Up
alter table products.imports
    add column done_bytes bigint not null default 0,
    add column size_bytes bigint not null default 0;
