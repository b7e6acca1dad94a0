-- An audit of the index tells how far it is while it runs. The release before tells of audits that have ended only, which is what is left out here.

-- +goose Up
alter table products.index_audits
    add column running boolean not null default false,
    add column documents bigint not null default 0;
