-- The stock of every product of a store: its folded balance and the entries after it. Read exactly at an epoch's timestamp, so
-- that a later fold, which may hold entries of the new epoch, can't be seen (docs/protocol.md, rule 9). Every product that was ever
-- stocked has a balance, so Spanner seeks the few entries behind each, and never reads what is folded.
-- Limits of days that are over, between @over_from and @over_to, are left behind. Moved counts entries that are later than a time.
SELECT b.ProductId, b.Quantity + IFNULL(SUM(l.Quantity), 0) AS Quantity, COUNTIF(l.CommitTime > @after) AS Moved
FROM StockBalances AS b
LEFT JOIN@{JOIN_METHOD=APPLY_JOIN} StockLedger AS l
  ON l.StoreId = b.StoreId AND l.ProductId = b.ProductId AND l.CommitTime > b.FoldedUntil
WHERE b.StoreId = @store AND (b.ProductId < @over_from OR b.ProductId >= @over_to)
GROUP BY b.ProductId, b.Quantity
