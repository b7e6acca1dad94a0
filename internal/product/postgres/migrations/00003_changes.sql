-- The audit trail: who changed what, when, in the transaction of the change, whoever writes. It holds costs, and no API reads it.

-- +goose Up
create table products.changes (
    change_id   bigint      generated always as identity primary key,
    change_time timestamptz not null default clock_timestamp(),
    -- The caller as the service names it ("merchandiser:<user id>"), else the database session's user.
    changed_by  text        not null,
    table_name  text        not null,
    -- The changed row's primary key.
    key         jsonb       not null,
    operation   text        not null check (operation in ('insert', 'update', 'delete')),
    -- Columns with their values: all of an added or removed row, the changed ones of a changed row.
    before      jsonb,
    after       jsonb
);

create index changes_by_key on products.changes (table_name, key, change_id);

-- Its arguments are the columns that make the table's key.
-- +goose StatementBegin
create function products.record_change() returns trigger language plpgsql as $$
declare
    was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    is_now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    key jsonb;
begin
    select jsonb_object_agg(name, coalesce(is_now, was) -> name) into key from unnest(tg_argv) as name;
    if tg_op = 'UPDATE' then
        -- version and update_time change with everything.
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, is_now -> o.key) into was, is_now
        from jsonb_each(was) o
        where is_now -> o.key is distinct from o.value and o.key not in ('version', 'update_time');
        if was is null then
            return null;
        end if;
    end if;
    insert into products.changes (changed_by, table_name, key, operation, before, after)
    values (coalesce(nullif(current_setting('larder.changed_by', true), ''), session_user), tg_table_name, key, lower(tg_op), was, is_now);
    return null;
end $$;
-- +goose StatementEnd

create trigger changes after insert or update or delete on products.brands
    for each row execute function products.record_change('brand_id');
create trigger changes after insert or update or delete on products.categories
    for each row execute function products.record_change('category_id');
create trigger changes after insert or update or delete on products.stores
    for each row execute function products.record_change('store_id');
create trigger changes after insert or update or delete on products.store_postcodes
    for each row execute function products.record_change('store_id', 'outward');
create trigger changes after insert or update or delete on products.products
    for each row execute function products.record_change('product_id');
create trigger changes after insert or update or delete on products.store_products
    for each row execute function products.record_change('product_id', 'store_id');
create trigger changes after insert or update or delete on products.prices
    for each row execute function products.record_change('product_id', 'store_id', 'valid_from');
