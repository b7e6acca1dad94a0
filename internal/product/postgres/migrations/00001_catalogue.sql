-- The catalogue: what is sold, where, at which price. Owned by the room product.
-- Amounts are minor units of the row's or the store's currency (ISO 4217), prices with tax, costs without.

-- +goose Up
create domain products.slug as text check (value ~ '^[a-z0-9][a-z0-9-]{1,62}$');
create domain products.price as bigint check (value between 1 and 99999999);

create table products.brands (
    brand_id products.slug primary key,
    name     text          not null check (name <> '')
);

create table products.categories (
    category_id products.slug primary key,
    name        text          not null check (name <> ''),
    -- Null at the top. The trigger categories_path keeps cycles out.
    parent_id   products.slug references products.categories,
    -- Orders the children of one parent.
    position    int           not null default 0
);

create index categories_by_parent on products.categories (parent_id);

create table products.stores (
    store_id           products.slug primary key,
    name               text          not null check (name <> ''),
    address_line1      text          not null default '',
    city               text          not null default '',
    postcode           text          not null default '',
    currency           text          not null check (currency ~ '^[A-Z]{3}$'),
    delivery_fee       bigint        not null check (delivery_fee >= 0),
    -- Orders whose lines reach this are delivered free; null: none are.
    free_delivery_from bigint        check (free_delivery_from >= 0)
);

-- Outward codes ("W1D") that a store delivers to.
create table products.store_postcodes (
    store_id products.slug not null references products.stores on delete cascade,
    outward  text          not null check (outward ~ '^[A-Z]{1,2}[0-9][0-9A-Z]?$'),
    primary key (store_id, outward)
);

create index store_postcodes_by_outward on products.store_postcodes (outward);

create table products.products (
    product_id   products.slug primary key,
    name         text          not null check (name <> ''),
    brand_id     products.slug references products.brands,
    category_id  products.slug not null references products.categories,
    description  text          not null default '',
    size         text          not null default '',
    gtin         text          not null default '' check (gtin ~ '^([0-9]{8}|[0-9]{12,14})?$'),
    tags         text[]        not null default '{}',
    image_uri    text          not null default '',
    status       text          not null default 'draft' check (status in ('draft', 'active', 'retired')),
    currency     text          not null default 'GBP' check (currency ~ '^[A-Z]{3}$'),
    -- Basis points of the tax in the price.
    tax_rate_bps int           not null default 0 check (tax_rate_bps between 0 and 10000),
    -- What the product costs the grocer. Nothing that leaves the room holds it, only the margin made of it, for ranking.
    cost         bigint        check (cost between 0 and 99999999),
    -- 0 to 1000.
    popularity   int           not null default 0 check (popularity between 0 and 1000),
    -- Set: deleted. The row stays, so that nothing takes its id again.
    delete_time  timestamptz,
    create_time  timestamptz   not null default clock_timestamp(),
    -- Both kept by the trigger products_version.
    update_time  timestamptz   not null default clock_timestamp(),
    version      bigint        not null default 1
);

create index products_by_category on products.products (category_id, product_id);
create index products_by_brand on products.products (brand_id, product_id);

-- The assortment: which store sells what.
create table products.store_products (
    product_id products.slug not null references products.products on delete cascade,
    store_id   products.slug not null references products.stores on delete cascade,
    primary key (product_id, store_id)
);

create index store_products_by_store on products.store_products (store_id);

-- Prices by time; see price_in_force. A later valid_from is a planned price, store_id null the everyday price.
create table products.prices (
    product_id  products.slug  not null references products.products on delete cascade,
    store_id    products.slug  references products.stores on delete cascade,
    -- Not now(), which is when the transaction began: a transaction that had to wait for another would write a price that
    -- is older than the other's, and so never in force.
    valid_from  timestamptz    not null default clock_timestamp(),
    -- Exclusive; null: until another begins.
    valid_to    timestamptz    check (valid_to > valid_from),
    minor_units products.price not null,
    unique nulls not distinct (product_id, store_id, valid_from)
);

create index prices_by_store on products.prices (store_id) where store_id is not null;

-- The rule of prices: in force at a moment is, of the rows whose period holds it, the store's own before the everyday price,
-- and then the one that began last. Without a store: the everyday price. No row: the product has no price.
create function products.price_in_force(of_product text, in_store text, moment timestamptz)
    returns table (minor_units bigint) language sql stable as $$
    select q.minor_units::bigint from products.prices q
    where q.product_id = of_product and (q.store_id = in_store or q.store_id is null)
        and q.valid_from <= moment and (q.valid_to is null or q.valid_to > moment)
    order by q.store_id nulls last, q.valid_from desc
    limit 1
$$;

-- What the stock has told. The greater (epoch, sequence) is the later word.
create table products.availability (
    product_id products.slug not null references products.products on delete cascade,
    store_id   products.slug not null references products.stores on delete cascade,
    available  boolean       not null,
    -- The epoch that the stock was loaded under, nanoseconds since 1970.
    epoch      bigint        not null,
    sequence   bigint        not null,
    primary key (product_id, store_id)
);

create index availability_by_store on products.availability (store_id);

-- Whole catalogues that were loaded, so that loading the same again is known to change nothing.
create table products.loads (
    name      text        primary key,
    -- A hash of the content.
    version   text        not null,
    load_time timestamptz not null default clock_timestamp()
);

-- +goose StatementBegin
create function products.count_version() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    new.update_time := clock_timestamp();
    return new;
end $$;
-- +goose StatementEnd

create trigger products_version before update on products.products
    for each row execute function products.count_version();

-- What may be answered of a product: everything but its cost.
create view products.shown_products as
select p.product_id, p.name, coalesce(p.brand_id, '') as brand_id, coalesce(b.name, '') as brand, p.category_id, p.description,
    p.size, p.gtin, p.tags, p.image_uri, p.status, p.currency, coalesce(q.minor_units, 0) as price, p.tax_rate_bps,
    array(select sp.store_id::text from products.store_products sp where sp.product_id = p.product_id order by 1) as store_ids,
    p.create_time, p.update_time, p.version
from products.products p
left join products.brands b on b.brand_id = p.brand_id
left join lateral products.price_in_force(p.product_id, null, statement_timestamp()) q on true
where p.delete_time is null;
