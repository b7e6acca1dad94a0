-- A store's slots that begin after a time, by time.
SELECT SlotId, StartTime, EndTime, Capacity
FROM DeliverySlots@{FORCE_INDEX=DeliverySlotsByTime}
WHERE StoreId = @store AND StartTime > @after
ORDER BY StartTime, SlotId
LIMIT @limit
