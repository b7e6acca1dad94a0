-- What the ledger has of each product of a store, from its first entry on: balances are left aside.
SELECT ProductId, SUM(Quantity) FROM StockLedger WHERE StoreId = @store GROUP BY ProductId
