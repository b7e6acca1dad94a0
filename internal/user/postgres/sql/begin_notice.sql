-- Begins a notice, or takes over one that was begun by $4 and never ended. Of two who try at once one waits for the other, and finds
-- its row then: only one begins it. The rows below are those from before the statement; one that isn't among them, but was in the
-- way, is somebody's who has just begun. The account is locked against its deletion, which would leave the notice without one.
with account as (
    select user_id, coalesce(email, claimed_email) as email, display_name from users.accounts where user_id = $2 for key share
), begun as (
    insert into users.notices as n (event_id, user_id, begin_time)
    select $1, user_id, $3 from account
    on conflict (event_id) do update set begin_time = excluded.begin_time
    where n.end_time is null and n.begin_time <= $4
    returning event_id
)
select account.email, account.display_name, exists (select from begun), coalesce(n.end_time is not null, false)
from account
left join users.notices n on n.event_id = $1
