-- What the audit of the search index needs: products and documents in the index's order, and a way to send a document there again.

-- +goose Up
-- Elasticsearch sorts ids bytewise; the database's own order may be a language's, in which "a-c" stands behind "ab".
create index products_bytewise on products.products (product_id collate "C");
create index catalog_documents_bytewise on products.catalog_documents (product_id collate "C");

-- Computes the documents of these products anew and gives each a new revision, whatever is kept: so they go to the index again, and
-- a kept document that was spoilt by hand, its checksum included, is mended. Unlike a touch of the product's row it leaves
-- the product's version alone, and reaches a product whose row is gone.
-- +goose StatementBegin
create function products.renew_documents(product_ids text[]) returns void language plpgsql set enable_seqscan = off as $$
begin
    -- Adds what is missing, and locks the rest in key order.
    perform products.refresh_documents(product_ids);
    update products.catalog_documents d
    set revision = d.revision + 1,
        document = c.document || jsonb_build_object('revision', d.revision + 1),
        checksum = products.checksum(c.document),
        deleted = c.deleted,
        traceparent = coalesce(current_setting('larder.traceparent', true), '')
    from products.compute_documents(product_ids, clock_timestamp()) c
    where d.product_id = c.product_id;
end $$;
-- +goose StatementEnd
