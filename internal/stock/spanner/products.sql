-- The products of a store that were ever stocked, by id. Slots and limits are counted as products, and aren't
-- any: no product's id has a colon.
SELECT ProductId
FROM StockBalances
WHERE StoreId = @store AND ProductId > @after AND STRPOS(ProductId, ':') = 0
ORDER BY ProductId
LIMIT @limit
