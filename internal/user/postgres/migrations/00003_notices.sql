-- Notices to people, mails, so that each event's is sent once. Owned by the room user.

-- +goose Up
create table users.notices (
    -- The event that the notice is about: one notice an event.
    event_id   text        primary key,
    user_id    uuid        not null references users.accounts on delete cascade,
    -- When it was begun, or last taken over.
    begin_time timestamptz not null,
    -- When it was sent.
    end_time   timestamptz
);

create index notices_by_user on users.notices (user_id, begin_time);

-- +goose Down
drop table users.notices;
