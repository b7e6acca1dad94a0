-- The stock of every product of a store: the folded balance and the entries after it. Read exactly at an epoch's timestamp, so
-- that a later fold, which may hold entries of the new epoch, can't be seen (docs/protocol.md, rule 9).
SELECT ProductId, SUM(Quantity) AS Quantity
FROM (
  SELECT ProductId, Quantity FROM StockBalances WHERE StoreId = @store
  UNION ALL
  SELECT l.ProductId, l.Quantity
  FROM StockLedger AS l
  LEFT JOIN StockBalances AS b ON b.StoreId = l.StoreId AND b.ProductId = l.ProductId
  WHERE l.StoreId = @store AND (b.FoldedUntil IS NULL OR l.CommitTime > b.FoldedUntil)
)
GROUP BY ProductId
