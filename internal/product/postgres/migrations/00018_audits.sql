-- What scheduled audits of the index came to, for operators to see. A week of them is kept: one a minute at most.

-- +goose Up
create table products.index_audits (
    audit_id   uuid        primary key,
    start_time timestamptz not null,
    end_time   timestamptz not null,
    checked    bigint      not null,
    findings   bigint      not null,
    in_flight  bigint      not null,
    repaired   bigint      not null,
    lag_ms     bigint      not null
);
create index index_audits_by_time on products.index_audits (end_time desc);
