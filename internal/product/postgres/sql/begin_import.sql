-- Begins an import ($1) of a format ($2) with columns ($3), unless it is there.
insert into products.imports (import_id, format, columns) values ($1, $2, $3) on conflict (import_id) do nothing
