select import_id, format, columns, lines, digest, done, created, changed, unchanged, failed, create_time, update_time, done_bytes, size_bytes
from products.imports order by update_time desc limit $1
