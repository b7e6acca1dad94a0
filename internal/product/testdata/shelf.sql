insert into products.brands values ('greenlatch', 'Greenlatch'), ('hollinbeck', 'Hollinbeck');
insert into products.categories values ('food', 'Food', null, 2), ('household', 'Household', null, 1);
insert into products.categories values ('fruit', 'Fruit', 'food', 2), ('dairy', 'Dairy', 'food', 1);
insert into products.categories values ('citrus', 'Citrus', 'fruit', 1);
insert into products.stores (store_id, name, currency, delivery_fee, free_delivery_from)
values ('soho', 'Larder Soho', 'GBP', 399, 5000), ('camden', 'Larder Camden', 'GBP', 349, null);
insert into products.store_postcodes values ('soho', 'W1D'), ('soho', 'NW1'), ('camden', 'NW1'), ('camden', 'N7');
