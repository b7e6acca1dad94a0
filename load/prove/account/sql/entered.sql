-- The keys of adjustments that are in the ledger.
SELECT DISTINCT Reason FROM StockLedger WHERE Kind = 'adjustment'
