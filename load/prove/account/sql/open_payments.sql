-- Payments of which something is left to do.
SELECT COUNT(*) FROM Payments WHERE State IN ('INITIATED', 'REQUIRES_ACTION', 'VOIDING')
