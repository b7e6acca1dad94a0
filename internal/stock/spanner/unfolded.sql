-- Products that have entries behind what is folded, up to a time, the longest unfolded first, so that none is left out for ever; with
-- what these entries sum up to. Limits are left out: a day's entries are few, and each sale writes their empty balance again.
SELECT b.ProductId, b.Quantity + SUM(l.Quantity) AS Quantity, COUNT(*) AS Entries
FROM StockBalances AS b
JOIN@{JOIN_METHOD=APPLY_JOIN} StockLedger AS l
  ON l.StoreId = b.StoreId AND l.ProductId = b.ProductId AND l.CommitTime > b.FoldedUntil AND l.CommitTime <= @cutoff
WHERE b.StoreId = @store AND NOT STARTS_WITH(b.ProductId, 'limit:')
GROUP BY b.ProductId, b.Quantity
ORDER BY MIN(l.CommitTime), b.ProductId
LIMIT @limit
