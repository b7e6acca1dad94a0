select line, field, reason, description from products.import_errors where import_id = $1 order by line, error_id limit 1000
