-- The tree in display order, parents before their children; at most $1.
with recursive tree (category_id, name, parent_id, position, place) as (
    select c.category_id, c.name, '', c.position, array[(c.position, c.category_id::text)]
    from products.categories c where c.parent_id is null
    union all
    select c.category_id, c.name, c.parent_id::text, c.position, t.place || (c.position, c.category_id::text)
    from products.categories c join tree t on c.parent_id = t.category_id
)
select category_id, name, parent_id, position from tree order by place limit $1
