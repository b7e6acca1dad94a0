-- Products that have entries behind what is folded, up to a time, the longest unfolded first, so that none is left out for ever; with
-- what these entries sum up to.
SELECT b.ProductId, b.Quantity + SUM(l.Quantity) AS Quantity, COUNT(*) AS Entries
FROM StockBalances AS b
JOIN@{JOIN_METHOD=APPLY_JOIN} StockLedger AS l
  ON l.StoreId = b.StoreId AND l.ProductId = b.ProductId AND l.CommitTime > b.FoldedUntil AND l.CommitTime <= @cutoff
WHERE b.StoreId = @store
GROUP BY b.ProductId, b.Quantity
ORDER BY MIN(l.CommitTime), b.ProductId
LIMIT @limit
