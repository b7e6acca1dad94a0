-- Events of the room user on their way to Pub/Sub, written by the transaction that they tell of. Owned by the room outbox, whose
-- internal/outbox/postgres says how they are read.

-- +goose Up
create table users.outbox (
    event_id    text        collate "C" primary key,
    -- The transaction that wrote it (xid8). It names itself: nobody can name a wrong one.
    xact        bigint      not null default pg_current_xact_id()::text::bigint,
    -- When it was written; its transaction committed then or later.
    write_time  timestamptz not null default clock_timestamp(),
    topic       text        not null,
    type        text        not null,
    subject     text        not null,
    -- json, not jsonb: the text stays as it was written.
    data        json        not null,
    traceparent text        not null
);

-- The order of publishing.
create index outbox_by_xact on users.outbox (xact, event_id);

-- For clearing.
create index outbox_by_write_time on users.outbox (write_time);

-- One row: who publishes the outbox, and how far it is published: all of lower transactions, and those of xact up to event_id, or all
-- of them if it is ''.
create table users.outbox_cursor (
    shard    smallint primary key check (shard = 0),
    -- The server that counts these transactions.
    system   bigint   not null,
    xact     bigint   not null,
    event_id text     collate "C" not null,
    -- A relay; '' is nobody.
    owner    text     not null
);

insert into users.outbox_cursor (shard, system, xact, event_id, owner)
select 0, system_identifier, 0, '', '' from pg_control_system();

-- The relays' signs of life: the outbox of one that has given none for a while is taken over.
create table users.outbox_relays (
    relay_id  text        primary key,
    seen_time timestamptz not null
);

-- +goose Down
drop table users.outbox_relays, users.outbox_cursor, users.outbox;
