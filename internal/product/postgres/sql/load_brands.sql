insert into products.brands (brand_id, name)
select g.brand_id, g.name from jsonb_to_recordset($1::jsonb) as g (brand_id text, name text)
on conflict (brand_id) do update set name = excluded.name
where brands.name <> excluded.name
