-- A product's popularity is counted from orders, day by day, for the whole catalogue: nobody decides it. So that it neither floods
-- the audit trail nor comes between a merchandiser who has read a product and their change of it, it is no part of
-- products.changes nor of a product's version. The product's document has it, and follows it.

-- +goose Up
-- +goose StatementBegin
create or replace function products.count_version() returns trigger language plpgsql as $$
begin
    if new.popularity <> old.popularity and to_jsonb(new) - 'popularity' = to_jsonb(old) - 'popularity' then
        return new;
    end if;
    new.version := old.version + 1;
    new.update_time := clock_timestamp();
    return new;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create or replace function products.record_change() returns trigger language plpgsql as $$
declare
    was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    is_now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    key jsonb;
begin
    select jsonb_object_agg(name, coalesce(is_now, was) -> name) into key from unnest(tg_argv) as name;
    if tg_op = 'UPDATE' then
        -- version and update_time change with everything, popularity by itself.
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, is_now -> o.key) into was, is_now
        from jsonb_each(was) o
        where is_now -> o.key is distinct from o.value and o.key not in ('version', 'update_time', 'popularity');
        if was is null then
            return null;
        end if;
    end if;
    insert into products.changes (changed_by, table_name, key, operation, before, after)
    values (coalesce(nullif(current_setting('larder.changed_by', true), ''), session_user), tg_table_name, key, lower(tg_op), was, is_now);
    return null;
end $$;
-- +goose StatementEnd
