-- Makes the account, or gives the one that has the address this name, password and these roles.
insert into users.accounts as a (user_id, email, display_name, password_hash, roles, create_time, update_time)
values ($1, $2, $3, $4, $5, $6, $6)
on conflict (email) do update
set display_name  = excluded.display_name,
    password_hash = excluded.password_hash,
    roles         = excluded.roles,
    version       = a.version + 1,
    update_time   = excluded.update_time
returning user_id, email, true, display_name, password_hash, roles, version, create_time
