-- Events that no relay has published: behind the cursor of their shard, which may stand within a commit time.
SELECT COUNT(*)
FROM Outbox AS o
LEFT JOIN OutboxShards AS s ON s.Shard = o.Shard
WHERE s.Shard IS NULL
  OR o.CommitTime > s.PublishedTime
  OR (o.CommitTime = s.PublishedTime AND s.PublishedEventId IS NOT NULL AND o.EventId > s.PublishedEventId)
