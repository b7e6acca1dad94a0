update products.imports
set lines = $2, digest = $3, done = $4, created = created + $5, changed = changed + $6, unchanged = unchanged + $7, failed = failed + $8,
    update_time = clock_timestamp(), done_bytes = $9, size_bytes = $10
where import_id = $1
returning import_id, format, columns, lines, digest, done, created, changed, unchanged, failed, create_time, update_time, done_bytes, size_bytes
