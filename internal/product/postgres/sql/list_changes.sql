-- The changes before one ($1), without what is counted or kept by triggers, and without what products cost.
select change_id, change_time, changed_by, table_name, key, operation,
    before - '{cost,popularity,version,update_time}'::text[], after - '{cost,popularity,version,update_time}'::text[]
from products.changes
where change_id < $1
