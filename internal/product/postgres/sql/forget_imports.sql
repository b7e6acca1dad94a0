-- Forgets the imports that nobody has brought on for 30 days.
with old as (
    delete from products.imports where update_time < now() - interval '30 days' returning import_id
)
delete from products.import_lines l using old where l.import_id = old.import_id
