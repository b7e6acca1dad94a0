-- catalog_documents: each product as the search index holds it, kept by triggers in the transaction of the change, whoever
-- writes. Debezium reads the table's changes from the log; `revision` orders them, whatever order they arrive in.
--
-- What keeps a document from losing one of two concurrent changes (READ COMMITTED, the default):
--   1. A change's trigger locks the document's row before it computes anything, and computes in a later statement, which has
--      a later snapshot. So whoever comes second waits for the first to commit, and then sees both changes.
--   2. A product that enters a category or a brand takes a share lock on those rows (the whole path of the category) first:
--      a rename under way, whose trigger can't see the product there yet, is waited for.
--   3. Locks are taken in one order: base rows, categories upwards, documents by key.
-- REPEATABLE READ and SERIALIZABLE transactions get a serialisation failure in place of step 1's wait, and nothing is lost.

-- +goose Up
create table products.catalog_documents (
    product_id  text    primary key,
    -- The index's _source. Holds the revision too: else an update that leaves the rest as it is would reach the log as an
    -- unchanged TOAST value, without its content.
    document    jsonb   not null,
    -- SHA-256, hexadecimal, of the document's text without its revision.
    checksum    text    not null,
    -- From 1, one more with each change; the index's external version.
    revision    bigint  not null check (revision > 0),
    -- A deleted product keeps its row: the index forgets a deleted document's version, and an older one could come back.
    deleted     boolean not null,
    -- W3C Trace Context of the change, empty for none.
    traceparent text    not null default ''
);

-- The one definition of a document, without its revision: of these products, as the base tables are now, with the prices in
-- force at a moment. A product that is unknown or marked deleted gives the document of a deleted one.
-- +goose StatementBegin
create function products.compute_documents(product_ids text[], moment timestamptz)
    returns table (product_id text, deleted boolean, document jsonb)
    -- Few rows are expected, and no whole table is read: sessions keep their plans, also those made over empty tables or for one
    -- product, and must do well by them with 500 products of 100,000.
    language plpgsql stable rows 5 set enable_seqscan = off as $$
#variable_conflict use_column
begin
    return query
    with recursive
    wanted as (
        select w.product_id::text as product_id, p.category_id::text as category_id,
            to_char(p.update_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as update_time
        from unnest(product_ids) as w (product_id)
        left join products.products p on p.product_id = w.product_id
    ),
    -- From each category up to the top; up counts the steps.
    climb (category_id, up, id, name, parent_id) as (
        select c.category_id::text, 0, c.category_id::text, c.name, c.parent_id::text
        from products.categories c
        where c.category_id in (select w.category_id from wanted w)
        union all
        select s.category_id, s.up + 1, c.category_id::text, c.name, c.parent_id::text
        from climb s join products.categories c on c.category_id = s.parent_id
    ),
    paths as (
        select s.category_id, jsonb_agg(s.id order by s.up desc) as ids, jsonb_agg(s.name order by s.up desc) as names
        from climb s group by s.category_id
    )
    select w.product_id, p.product_id is null,
        case when p.product_id is null
        then jsonb_strip_nulls(jsonb_build_object('product_id', w.product_id, 'deleted', true, 'update_time', w.update_time))
        else jsonb_strip_nulls(jsonb_build_object(
            'product_id', p.product_id,
            'deleted', false,
            'status', p.status,
            'name', p.name,
            'brand', b.name,
            'brand_id', p.brand_id,
            'description', p.description,
            'size', p.size,
            'gtin', p.gtin,
            'category_id', p.category_id,
            'category_path', a.ids,
            'category_names', a.names,
            'tags', to_jsonb(p.tags),
            'image_uri', p.image_uri,
            'currency', p.currency,
            'tax_rate_bps', p.tax_rate_bps,
            'price', everyday.minor_units,
            'prices', coalesce(sold.prices, '{}'),
            'available_in', coalesce(sold.available_in, '[]'),
            -- What is left of the price without tax after the cost, in permille of the price without tax.
            'margin_permille', coalesce(greatest(0,
                (everyday.minor_units * 10000 - p.cost * (10000 + p.tax_rate_bps)) * 1000 / (everyday.minor_units * 10000)), 0),
            'popularity', p.popularity,
            'update_time', w.update_time))
        end
    from wanted w
    left join products.products p on p.product_id = w.product_id and p.delete_time is null
    left join products.brands b on b.brand_id = p.brand_id
    left join paths a on a.category_id = p.category_id
    left join lateral products.price_in_force(p.product_id, null, moment) everyday on true
    left join lateral (
        select jsonb_object_agg(sp.store_id, here.minor_units) filter (where here.minor_units is not null) as prices,
            jsonb_agg(sp.store_id order by sp.store_id) filter (where v.available) as available_in
        from products.store_products sp
        left join products.availability v on v.product_id = sp.product_id and v.store_id = sp.store_id
        left join lateral products.price_in_force(sp.product_id, sp.store_id, moment) here on true
        where sp.product_id = p.product_id
    ) sold on true;
end $$;
-- +goose StatementEnd

-- One product's document as it should be now, without the revision: for audits and tests.
create function products.compute_document(product_id text) returns jsonb language sql volatile as $$
    select d.document from products.compute_documents(array[$1], clock_timestamp()) d
$$;

create function products.checksum(document jsonb) returns text language sql immutable as $$
    select encode(sha256(convert_to(document::text, 'UTF8')), 'hex')
$$;

-- Brings the documents of these products up to date. One that stays the same keeps its revision; as a document has its product's
-- update_time, touching the product's row always sends it to the index again.
-- +goose StatementBegin
create function products.refresh_documents(product_ids text[]) returns void language plpgsql set enable_seqscan = off as $$
declare
    trace text := coalesce(current_setting('larder.traceparent', true), '');
    fresh text[];
begin
    if cardinality(product_ids) = 0 then
        return;
    end if;
    -- Of a new product there is no row to lock. If another transaction is adding the row, this waits and adds nothing.
    with missing as (
        select array_agg(distinct w.product_id) as ids from unnest(product_ids) as w (product_id)
        where not exists (select from products.catalog_documents d where d.product_id = w.product_id)
    ), added as (
        insert into products.catalog_documents (product_id, document, checksum, revision, deleted, traceparent)
        select c.product_id, c.document || '{"revision": 1}', products.checksum(c.document), 1, c.deleted, trace
        from missing, products.compute_documents(missing.ids, clock_timestamp()) c
        order by c.product_id
        on conflict (product_id) do nothing
        returning product_id
    )
    select coalesce(array_agg(a.product_id), '{}') into fresh from added a;

    perform from products.catalog_documents d
    where d.product_id = any (product_ids) and d.product_id <> all (fresh)
    order by d.product_id for update;

    -- A statement of its own: it sees what was committed while the one above waited.
    update products.catalog_documents d
    set revision = d.revision + 1,
        document = c.document || jsonb_build_object('revision', d.revision + 1),
        checksum = products.checksum(c.document),
        deleted = c.deleted,
        traceparent = trace
    from products.compute_documents(product_ids, clock_timestamp()) c
    where d.product_id = c.product_id and d.product_id <> all (fresh)
        and d.checksum <> products.checksum(c.document);
end $$;
-- +goose StatementEnd

-- Holds a category and those above it against renames and moves until the transaction ends. Lock first, then read the
-- parent: while it waited, the category may have been moved.
-- +goose StatementBegin
create function products.hold_category(category_id text) returns void language plpgsql as $$
declare
    here text := category_id;
    path text[] := '{}';
begin
    while here is not null loop
        if here = any (path) then
            raise exception 'category % would be above itself', here using errcode = 'check_violation', constraint = 'categories_tree';
        end if;
        path := path || here;
        select c.parent_id into here from products.categories c where c.category_id = here for share;
    end loop;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function products.products_changed() returns trigger language plpgsql as $$
declare
    ids text[];
    held text;
begin
    if tg_op = 'DELETE' then
        select array_agg(o.product_id order by o.product_id) into ids from old_rows o;
    elsif tg_op = 'INSERT' then
        select array_agg(n.product_id order by n.product_id) into ids from new_rows n;
        for held in select distinct n.category_id from new_rows n order by 1 loop
            perform products.hold_category(held);
        end loop;
        perform from products.brands b where b.brand_id in (select n.brand_id from new_rows n) order by b.brand_id for share;
    else
        if exists (select from old_rows o where not exists (select from new_rows n where n.product_id = o.product_id)) then
            raise exception 'the id of a product never changes' using errcode = 'check_violation';
        end if;
        select array_agg(n.product_id order by n.product_id) into ids from new_rows n;
        for held in
            select distinct n.category_id from new_rows n join old_rows o using (product_id)
            where n.category_id <> o.category_id order by 1
        loop
            perform products.hold_category(held);
        end loop;
        perform from products.brands b
        where b.brand_id in (
            select n.brand_id from new_rows n join old_rows o using (product_id) where n.brand_id is distinct from o.brand_id)
        order by b.brand_id for share;
    end if;
    perform products.refresh_documents(coalesce(ids, '{}'));
    return null;
end $$;
-- +goose StatementEnd

create trigger documents_insert after insert on products.products referencing new table as new_rows
    for each statement execute function products.products_changed();
create trigger documents_update after update on products.products referencing old table as old_rows new table as new_rows
    for each statement execute function products.products_changed();
create trigger documents_delete after delete on products.products referencing old table as old_rows
    for each statement execute function products.products_changed();

-- For tables whose rows belong to a product: prices and assortment. Availability has its own.
-- +goose StatementBegin
create function products.product_details_changed() returns trigger language plpgsql as $$
declare
    ids text[];
begin
    if tg_op = 'DELETE' then
        select array_agg(distinct o.product_id) into ids from old_rows o;
    elsif tg_op = 'INSERT' then
        select array_agg(distinct n.product_id) into ids from new_rows n;
    else
        select array_agg(distinct c.product_id) into ids
        from (select o.product_id from old_rows o union select n.product_id from new_rows n) c;
    end if;
    perform products.refresh_documents(coalesce(ids, '{}'));
    return null;
end $$;
-- +goose StatementEnd

create trigger documents_insert after insert on products.prices referencing new table as new_rows
    for each statement execute function products.product_details_changed();
create trigger documents_update after update on products.prices referencing old table as old_rows new table as new_rows
    for each statement execute function products.product_details_changed();
create trigger documents_delete after delete on products.prices referencing old table as old_rows
    for each statement execute function products.product_details_changed();

create trigger documents_insert after insert on products.store_products referencing new table as new_rows
    for each statement execute function products.product_details_changed();
create trigger documents_update after update on products.store_products referencing old table as old_rows new table as new_rows
    for each statement execute function products.product_details_changed();
create trigger documents_delete after delete on products.store_products referencing old table as old_rows
    for each statement execute function products.product_details_changed();

-- Most of what the stock tells is a new version of the same availability, which no document shows.
-- +goose StatementBegin
create function products.availability_changed() returns trigger language plpgsql as $$
declare
    ids text[];
begin
    if tg_op = 'DELETE' then
        select array_agg(distinct o.product_id) into ids from old_rows o where o.available;
    elsif tg_op = 'INSERT' then
        select array_agg(distinct n.product_id) into ids from new_rows n where n.available;
    else
        select array_agg(distinct c.product_id) into ids
        from (
            (select o.product_id, o.store_id from old_rows o where o.available
                except select n.product_id, n.store_id from new_rows n where n.available)
            union all
            (select n.product_id, n.store_id from new_rows n where n.available
                except select o.product_id, o.store_id from old_rows o where o.available)
        ) c;
    end if;
    perform products.refresh_documents(coalesce(ids, '{}'));
    return null;
end $$;
-- +goose StatementEnd

create trigger documents_insert after insert on products.availability referencing new table as new_rows
    for each statement execute function products.availability_changed();
create trigger documents_update after update on products.availability referencing old table as old_rows new table as new_rows
    for each statement execute function products.availability_changed();
create trigger documents_delete after delete on products.availability referencing old table as old_rows
    for each statement execute function products.availability_changed();

-- +goose StatementBegin
create function products.categories_changed() returns trigger language plpgsql as $$
declare
    changed text[];
    ids text[];
    held text;
begin
    select array_agg(n.category_id order by n.category_id) into changed
    from new_rows n left join old_rows o using (category_id)
    where o.category_id is null or n.name <> o.name or n.parent_id is distinct from o.parent_id;
    -- The new path, held as a product's is; a cycle is refused here, before anything walks the tree.
    foreach held in array coalesce(changed, '{}') loop
        perform products.hold_category(held);
    end loop;
    with recursive below (category_id) as (
        select unnest(changed)
        union
        select c.category_id::text from products.categories c join below b on c.parent_id = b.category_id
    )
    select array_agg(p.product_id order by p.product_id) into ids
    from products.products p
    where p.category_id in (select b.category_id from below b) and p.delete_time is null;
    perform products.refresh_documents(coalesce(ids, '{}'));
    return null;
end $$;
-- +goose StatementEnd

-- A new category has no products yet. One that is removed has none: their foreign key holds it.
create trigger documents_update after update on products.categories referencing old table as old_rows new table as new_rows
    for each statement execute function products.categories_changed();

-- +goose StatementBegin
create function products.categories_added() returns trigger language plpgsql as $$
begin
    perform products.hold_category(new.category_id);
    return null;
end $$;
-- +goose StatementEnd

create trigger categories_path after insert on products.categories
    for each row execute function products.categories_added();

-- +goose StatementBegin
create function products.brands_changed() returns trigger language plpgsql as $$
declare
    ids text[];
begin
    select array_agg(p.product_id order by p.product_id) into ids
    from new_rows n join old_rows o using (brand_id) join products.products p on p.brand_id = n.brand_id
    where n.name <> o.name and p.delete_time is null;
    perform products.refresh_documents(coalesce(ids, '{}'));
    return null;
end $$;
-- +goose StatementEnd

create trigger documents_update after update on products.brands referencing old table as old_rows new table as new_rows
    for each statement execute function products.brands_changed();

-- Of a store the documents hold the id only, and a store that goes takes its assortment, prices and availability along.

-- Truncating fires no trigger that knows the rows.
-- +goose StatementBegin
create function products.refuse_truncate() returns trigger language plpgsql as $$
begin
    raise exception 'delete rows of %, truncating leaves the catalogue''s documents behind', tg_table_name;
end $$;
-- +goose StatementEnd

create trigger no_truncate before truncate on products.products for each statement execute function products.refuse_truncate();
create trigger no_truncate before truncate on products.prices for each statement execute function products.refuse_truncate();
create trigger no_truncate before truncate on products.store_products for each statement execute function products.refuse_truncate();
create trigger no_truncate before truncate on products.availability for each statement execute function products.refuse_truncate();
create trigger no_truncate before truncate on products.categories for each statement execute function products.refuse_truncate();
create trigger no_truncate before truncate on products.brands for each statement execute function products.refuse_truncate();
create trigger no_truncate before truncate on products.catalog_documents for each statement execute function products.refuse_truncate();
