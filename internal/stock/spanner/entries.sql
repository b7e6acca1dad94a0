-- A product's entries that are older than one, newest first.
SELECT EntryId, ProductId, Quantity, Epoch, Kind, Reference, Actor, Reason, CommitTime
FROM StockLedger
WHERE StoreId = @store AND ProductId = @product AND CommitTime <= @time AND (CommitTime < @time OR EntryId < @entry)
ORDER BY CommitTime DESC, EntryId DESC
LIMIT @limit
