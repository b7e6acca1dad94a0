-- Addresses belong to who verified them; tokens that mails bring; the answer to a lost refresh. Owned by the room user.

-- +goose Up

-- email is the address of an account that has verified it, and of one account only. claimed_email is that of an account that hasn't yet:
-- any number may claim an address. Accounts of before this migration count as verified.
alter table users.accounts alter column email drop not null;
alter table users.accounts add column claimed_email text;
alter table users.accounts add constraint accounts_address check ((email is null) <> (claimed_email is null));
create index accounts_by_claimed_email on users.accounts (claimed_email, create_time) where claimed_email is not null;

-- Single-use tokens that mails bring.
create table users.mail_tokens (
    -- SHA-256 of the token; the token itself is kept nowhere.
    token_hash  bytea       primary key,
    user_id     uuid        not null references users.accounts on delete cascade,
    purpose     text        not null check (purpose in ('verify_email', 'reset_password')),
    create_time timestamptz not null,
    expire_time timestamptz not null
);

create index mail_tokens_by_user on users.mail_tokens (user_id, purpose);

-- Requests for a new password, whether their address has an account or not: that is looked at when the mail is written.
create table users.password_resets (
    password_reset_id uuid        primary key,
    email             text        not null,
    create_time       timestamptz not null
);

create index password_resets_by_time on users.password_resets (create_time);

-- The token that was given for this one.
alter table users.refresh_tokens add column successor bytea;

-- +goose Down
alter table users.refresh_tokens drop column successor;
drop table users.password_resets, users.mail_tokens;
delete from users.accounts where email is null;
alter table users.accounts drop column claimed_email;
alter table users.accounts alter column email set not null;
