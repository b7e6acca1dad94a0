-- Accounts, their sessions and addresses, and the keys that access tokens are signed with. Owned by the room user.

-- +goose Up
create table users.accounts (
    user_id       uuid        primary key,
    -- Normalised: NFKC, trimmed, lower case.
    email         text        not null unique,
    display_name  text        not null default '',
    -- PHC string of argon2id.
    password_hash text        not null,
    roles         text[]      not null,
    -- Grows with every change that the account's etag tells of.
    version       bigint      not null default 1,
    create_time   timestamptz not null,
    update_time   timestamptz not null
);

-- A session is the family of refresh tokens that one sign-in began.
create table users.sessions (
    session_id  uuid        primary key,
    user_id     uuid        not null references users.accounts on delete cascade,
    create_time timestamptz not null,
    -- No refresh token outlives it.
    expire_time timestamptz not null,
    -- Set by signing out, or when a used refresh token comes back.
    end_time    timestamptz
);

create index sessions_by_user on users.sessions (user_id);

create table users.refresh_tokens (
    -- SHA-256 of the token; the token itself is kept nowhere.
    token_hash  bytea       primary key,
    session_id  uuid        not null references users.sessions on delete cascade,
    create_time timestamptz not null,
    expire_time timestamptz not null,
    -- Set at its one use; the row stays until it expires, to know the token when it comes back.
    use_time    timestamptz
);

create index refresh_tokens_by_session on users.refresh_tokens (session_id);

create table users.addresses (
    address_id  uuid        primary key,
    user_id     uuid        not null references users.accounts on delete cascade,
    recipient   text        not null,
    line1       text        not null,
    line2       text        not null,
    city        text        not null,
    postcode    text        not null,
    country     text        not null,
    phone       text        not null,
    create_time timestamptz not null,
    update_time timestamptz not null
);

create index addresses_by_user on users.addresses (user_id, create_time);

create table users.signing_keys (
    -- Thumbprint of the public key (RFC 7638).
    kid         text        primary key,
    -- Seed of the Ed25519 key (RFC 8032), 32 bytes.
    private_key bytea       not null,
    create_time timestamptz not null,
    -- Published until then; signs only while it is the newest.
    expire_time timestamptz not null
);

-- +goose Down
drop table users.signing_keys, users.addresses, users.refresh_tokens, users.sessions, users.accounts;
