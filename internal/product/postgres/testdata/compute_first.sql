-- The wrong order, to show that the tests notice: the document is computed from what the change's transaction sees before it has
-- the document's lock.
create or replace function products.refresh_documents(product_ids text[]) returns void language plpgsql as $$
declare
    computed jsonb;
begin
    computed := products.compute_document(product_ids[1]);
    perform from products.catalog_documents d where d.product_id = product_ids[1] for update;
    update products.catalog_documents d
    set revision = d.revision + 1, document = computed || jsonb_build_object('revision', d.revision + 1), checksum = products.checksum(computed)
    where d.product_id = product_ids[1];
end $$;
