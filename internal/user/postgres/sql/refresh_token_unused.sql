-- A statement of its own, after the lock: one before it wouldn't see a token that the holder of the lock has just made.
select exists (select from users.refresh_tokens where token_hash = $1 and use_time is null)
