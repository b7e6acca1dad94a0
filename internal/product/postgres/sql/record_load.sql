-- A row: this version ($2) of the catalogue ($1) is news.
insert into products.loads (name, version) values ($1, $2)
on conflict (name) do update set version = excluded.version, load_time = excluded.load_time
where loads.version <> excluded.version
returning true
