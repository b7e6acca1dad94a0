-- $3 is the successor, null for a token that gives way to another. The time of its first use stays.
update users.refresh_tokens set use_time = coalesce(use_time, $2), successor = $3 where token_hash = $1
