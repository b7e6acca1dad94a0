-- Triggers in the wrong order: what a document is to be is computed from what the change's transaction sees before it has the document's
-- lock. So of two changes at once, one gets lost.
create or replace function products.refresh_documents(product_ids text[]) returns void language plpgsql as $$
declare
    computed jsonb;
begin
    select coalesce(jsonb_object_agg(c.product_id, jsonb_build_object('document', c.document, 'deleted', c.deleted)), '{}') into computed
    from products.compute_documents(product_ids, clock_timestamp()) c;
    insert into products.catalog_documents (product_id, document, checksum, revision, deleted, traceparent)
    select e.key, (e.value -> 'document') || '{"revision": 1}', products.checksum(e.value -> 'document'), 1, (e.value ->> 'deleted')::boolean, ''
    from jsonb_each(computed) e
    where not exists (select from products.catalog_documents d where d.product_id = e.key)
    order by e.key
    on conflict (product_id) do nothing;
    perform from products.catalog_documents d where d.product_id = any (product_ids) order by d.product_id for update;
    update products.catalog_documents d
    set revision = d.revision + 1,
        document = (e.value -> 'document') || jsonb_build_object('revision', d.revision + 1),
        checksum = products.checksum(e.value -> 'document'),
        deleted = (e.value ->> 'deleted')::boolean
    from jsonb_each(computed) e
    where d.product_id = e.key and d.checksum <> products.checksum(e.value -> 'document');
end $$;
