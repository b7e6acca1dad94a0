-- What must have been told on order-events.
SELECT (SELECT COUNT(*) FROM OrderHistory) + (SELECT COUNT(*) FROM Refunds WHERE State = 'DONE')
