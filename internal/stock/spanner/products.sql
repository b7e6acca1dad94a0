-- The products of a store that were ever stocked, by id. Slots are counted as products, and aren't any.
SELECT ProductId
FROM StockBalances
WHERE StoreId = @store AND ProductId > @after AND NOT STARTS_WITH(ProductId, 'slot:')
ORDER BY ProductId
LIMIT @limit
