-- One instance at a time decides whether a new key is due. The number is this lock's alone.
select pg_advisory_xact_lock(7305191105)
