-- The products of a store that have ever had an entry, by id.
SELECT DISTINCT ProductId
FROM (
  SELECT ProductId FROM StockBalances WHERE StoreId = @store AND ProductId > @after
  UNION ALL
  SELECT ProductId FROM StockLedger WHERE StoreId = @store AND ProductId > @after
)
ORDER BY ProductId
LIMIT @limit
