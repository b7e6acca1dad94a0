-- Entries under an epoch that reach the virtual stock after their commit. A sale reaches it before.
SELECT EntryId, ProductId, Quantity
FROM StockLedger
WHERE StoreId = @store AND Epoch = @epoch AND Kind != 'sale'
