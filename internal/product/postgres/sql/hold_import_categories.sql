-- Holds the categories ($1) that the lines name, and those above them, against renames, moves and removal.
select products.hold_category(c.category_id) from (select distinct n.id from unnest($1::text[]) as n (id) order by 1) as c (category_id)
