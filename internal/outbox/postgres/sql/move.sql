-- From ($2, $3) to ($4, $5), or from there to there: a move that was done already, by an attempt whose answer was lost, is done.
update users.outbox_cursor
set xact = $4, event_id = $5
where owner = $1 and (xact, event_id) in (($2, $3), ($4, $5))
