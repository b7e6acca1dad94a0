insert into products.categories (category_id, name, parent_id, position)
select g.category_id, g.name, g.parent_id, g.position
from jsonb_to_recordset($1::jsonb) as g (category_id text, name text, parent_id text, position int)
on conflict (category_id) do update set name = excluded.name, parent_id = excluded.parent_id, position = excluded.position
where (categories.name, categories.parent_id, categories.position) is distinct from (excluded.name, excluded.parent_id, excluded.position)
