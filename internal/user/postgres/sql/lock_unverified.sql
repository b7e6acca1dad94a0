-- The next accounts behind $1, at most $2, that have claimed an address since before $3. They are locked against being signed in to and
-- verified; those that somebody is at just now are left out.
select user_id
from users.accounts
where claimed_email is not null and user_id > $1 and create_time <= $3
order by user_id
limit $2
for no key update skip locked
