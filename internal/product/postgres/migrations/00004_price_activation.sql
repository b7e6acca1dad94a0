-- Documents hold the prices in force at the moment they were computed. price_activations has the moments still to come at which
-- that changes: a price begins, or ends. ActivatePrices takes the rows whose moment has passed and brings the products'
-- documents up to date, in one transaction.
--
-- Why nothing is missed. A price that begins (or ends) at e is written by a statement whose trigger reads the clock, at s, before the
-- statement's other triggers compute the document, later than s:
--   e <= s: the document is computed with the price begun, and no row is needed.
--   e > s:  there is a row, visible with the price and not before. Whoever takes it does so after e, and computes after that, in a
--           later statement, which sees the price.
-- How long the price's transaction stays open doesn't matter: if it commits after e, its row is overdue when it appears, and is
-- taken next. A cursor over valid_from, moved on to "now", would have passed such a price by: it was to come when its document was
-- computed, and couldn't be seen when the cursor passed. Nor does it matter how long nobody activates: rows wait.
-- A row too many (the price was deleted or moved since) costs a look: a document that stays the same keeps its revision.

-- +goose Up
create table products.price_activations (
    activation_id bigint      generated always as identity primary key,
    -- No foreign key: a product's deletion would wait here for an activation that waits for the product's document.
    product_id    text        not null,
    moment        timestamptz not null
);

create index price_activations_by_moment on products.price_activations (moment, product_id);
create index price_activations_by_product on products.price_activations (product_id, moment);

-- +goose StatementBegin
create function products.plan_activations() returns trigger language plpgsql as $$
begin
    insert into products.price_activations (product_id, moment)
    select distinct n.product_id, e.moment
    from new_rows n cross join lateral (values (n.valid_from), (n.valid_to)) as e (moment)
    where e.moment > clock_timestamp();
    return null;
end $$;
-- +goose StatementEnd

-- Triggers of one kind fire in the order of their names: these before documents_insert and documents_update, as they must.
create trigger activations_insert after insert on products.prices referencing new table as new_rows
    for each statement execute function products.plan_activations();
create trigger activations_update after update on products.prices referencing new table as new_rows
    for each statement execute function products.plan_activations();

-- What was planned before there was this table. Past moments are as good as one, now: nobody has looked after them. Making
-- the triggers has waited for the writers of prices, so all of theirs is seen.
insert into products.price_activations (product_id, moment)
select distinct q.product_id, greatest(e.moment, now())
from products.prices q cross join lateral (values (q.valid_from), (q.valid_to)) as e (moment)
where e.moment is not null;
