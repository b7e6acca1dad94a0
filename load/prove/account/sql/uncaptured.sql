-- Packed orders whose money isn't taken.
SELECT COUNT(*)
FROM Orders AS o
JOIN Payments AS p ON p.OrderId = o.OrderId
WHERE o.State IN ('PACKED', 'DISPATCHED', 'DELIVERED') AND p.State IN ('AUTHORIZED', 'CAPTURE_FAILED')
