-- What a store sold since a time, less what was cancelled or not picked, most first. Spanner seeks each product's entries since then. Slots and
-- limits are counted as products, and aren't any: no product's id has a colon.
SELECT b.ProductId, -SUM(l.Quantity) AS Sold
FROM StockBalances AS b
JOIN@{JOIN_METHOD=APPLY_JOIN} StockLedger AS l
  ON l.StoreId = b.StoreId AND l.ProductId = b.ProductId AND l.CommitTime >= @since
WHERE b.StoreId = @store AND STRPOS(b.ProductId, ':') = 0 AND l.Kind IN ('sale', 'cancellation', 'picking')
GROUP BY b.ProductId
HAVING SUM(l.Quantity) < 0
ORDER BY Sold DESC, b.ProductId
LIMIT @limit
