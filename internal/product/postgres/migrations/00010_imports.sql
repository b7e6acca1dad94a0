-- Imports: how far each has come, and what couldn't go in.

-- +goose Up
create table products.imports (
    -- The Idempotency-Key that it began with.
    import_id   text        primary key,
    format      text        not null check (format in ('ndjson', 'csv')),
    -- The fields that the first line of a CSV file names.
    columns     text[]      not null default '{}',
    -- Lines of the file that are done, and the SHA-256 of them.
    lines       bigint      not null default 0,
    digest      bytea       not null default sha256(''),
    done        boolean     not null default false,
    -- Products, and lines that couldn't go in.
    created     bigint      not null default 0,
    changed     bigint      not null default 0,
    unchanged   bigint      not null default 0,
    failed      bigint      not null default 0,
    create_time timestamptz not null default clock_timestamp(),
    update_time timestamptz not null default clock_timestamp()
);

create index imports_by_time on products.imports (update_time);

create table products.import_errors (
    error_id    bigint generated always as identity primary key,
    import_id   text   not null references products.imports on delete cascade,
    line        bigint not null,
    field       text   not null,
    reason      text   not null,
    description text   not null
);

create index import_errors_by_import on products.import_errors (import_id, line, error_id);

-- Which line of a running import's file names a product, so that no other does. Without a foreign key, which would be looked up for each
-- line; who removes an import removes its lines.
create table products.import_lines (
    import_id  text   not null,
    product_id text   not null,
    line       bigint not null,
    primary key (import_id, product_id)
);
