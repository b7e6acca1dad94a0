-- Accounts that claim an address, in the order that they are looked through for those that nobody uses. Owned by the room user.

-- +goose Up
create index accounts_unverified on users.accounts (user_id) where claimed_email is not null;

-- +goose Down
drop index users.accounts_unverified;
