-- The database that checkout, order, payment and relay share, because one transaction has to span order, ledger, payment and
-- outbox. Each table belongs to one room, and only that room's package <room>/spanner reads or writes it.
--
-- Keys: an order's id is its checkout's id, derived by a hash from shopper and Idempotency-Key, so orders spread evenly. No
-- row is written hot: the ledger only inserts, and the epoch row is only read-locked by commits.

-- Room stock. The epoch of a store's virtual stock is the commit timestamp of the transaction that wrote it, so no
-- epoch is ever used twice (docs/protocol.md, rule 9). A store without a row sells nothing.
CREATE TABLE Epochs (
  StoreId STRING(64) NOT NULL,
  Epoch TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (StoreId);

-- Room stock. Each epoch that a store had, with who asked for it: a user's id, or "system".
CREATE TABLE StockRebuilds (
  StoreId STRING(64) NOT NULL,
  Epoch TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  Actor STRING(64) NOT NULL,
) PRIMARY KEY (StoreId, Epoch DESC),
  ROW DELETION POLICY (OLDER_THAN(Epoch, INTERVAL 400 DAY));

-- Room stock. Every change of a store's stock, insert-only. Epoch is the store's epoch as the transaction read it.
CREATE TABLE StockLedger (
  StoreId STRING(64) NOT NULL,
  -- A product, "slot:<slot>", or "limit:<day>:<product>:<user>", of which a shopper's limit counts what was bought.
  ProductId STRING(128) NOT NULL,
  CommitTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  EntryId STRING(128) NOT NULL,
  Quantity INT64 NOT NULL,
  Epoch TIMESTAMP NOT NULL,
  -- sale, cancellation, adjustment, picking
  Kind STRING(16) NOT NULL,
  -- The order, or the adjustment, that the entry belongs to.
  Reference STRING(64) NOT NULL,
  Actor STRING(64) NOT NULL,
  Reason STRING(200) NOT NULL,
) PRIMARY KEY (StoreId, ProductId, CommitTime, EntryId),
  ROW DELETION POLICY (OLDER_THAN(CommitTime, INTERVAL 400 DAY));

-- Room stock. The sum of a product's ledger entries up to FoldedUntil, so that a rebuild reads few entries. Every product that was ever
-- stocked has a row: its first entry's transaction inserts an empty one. Those of limits stay empty, and are deleted when their day is over.
CREATE TABLE StockBalances (
  StoreId STRING(64) NOT NULL,
  ProductId STRING(128) NOT NULL,
  Quantity INT64 NOT NULL,
  FoldedUntil TIMESTAMP NOT NULL,
) PRIMARY KEY (StoreId, ProductId);

-- Room stock. An operator's or a warehouse's adjustment, or a change of a slot's capacity: found again by its id, so that a repeated one
-- changes nothing, and what was held for it finds its end.
CREATE TABLE StockAdjustments (
  StoreId STRING(64) NOT NULL,
  AdjustmentId STRING(64) NOT NULL,
  Fingerprint BYTES(32) NOT NULL,
  Epoch TIMESTAMP NOT NULL,
  -- Quantities by product, {"apples": -2}.
  Changes JSON,
  CreateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (StoreId, AdjustmentId),
  ROW DELETION POLICY (OLDER_THAN(CreateTime, INTERVAL 400 DAY));

-- Room stock. A time in which a store's van delivers. What is booked of it is counted like stock, as the product "slot:<SlotId>" of
-- the ledger, so its capacity there is the sum of its adjustments.
CREATE TABLE DeliverySlots (
  StoreId STRING(64) NOT NULL,
  SlotId STRING(64) NOT NULL,
  StartTime TIMESTAMP NOT NULL,
  EndTime TIMESTAMP NOT NULL,
  Capacity INT64 NOT NULL,
  UpdateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (StoreId, SlotId),
  ROW DELETION POLICY (OLDER_THAN(EndTime, INTERVAL 30 DAY));
CREATE INDEX DeliverySlotsByTime ON DeliverySlots (StoreId, StartTime);

-- Room order. The first to insert the row decides a checkout: the commit with CONFIRMED or the tombstone with ABANDONED
-- (docs/protocol.md, rules 5 and 7). A tombstone keeps the refusal, so that the same key gives the same answer.
CREATE TABLE Orders (
  OrderId STRING(36) NOT NULL,
  UserId STRING(36) NOT NULL,
  StoreId STRING(64) NOT NULL,
  State STRING(16) NOT NULL,
  Version INT64 NOT NULL,
  -- The request's hash; NULL in a tombstone that no request wrote.
  Fingerprint BYTES(32),
  -- Of the hold that was sold: settle deletes this very one.
  Epoch TIMESTAMP,
  HoldToken INT64,
  -- A tombstone's google.rpc.Status.
  Refusal BYTES(MAX),
  -- Totals (pricing.Totals) and address (larder.type.v1.Address) as JSON.
  Totals JSON,
  Address JSON,
  CreateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  -- The delivery slot that was chosen, as it was then; NULL: as soon as it can be.
  SlotId STRING(64),
  SlotStart TIMESTAMP,
  SlotEnd TIMESTAMP,
  -- The person's key in OrdersByUser, NULL in a tombstone, for lists hold no refusals, and once the person is forgotten.
  ListedFor STRING(36),
  -- What was picked and what it costs (pricing.Receipt) as JSON; NULL until the order is packed.
  Receipt JSON,
  -- One of 16 parts of the index below that the order is in, by its id's first digit, since their keys grow with time; NULL while it isn't in it.
  UnderWayShard STRING(1) AS (IF(State IN ('CONFIRMED', 'PICKING', 'PACKED', 'DISPATCHED'), SUBSTR(OrderId, 1, 1), NULL)) STORED,
  EndedShard STRING(1) AS (IF(State IN ('DELIVERED', 'CANCELLED'), SUBSTR(OrderId, 1, 1), NULL)) STORED,
) PRIMARY KEY (OrderId);

CREATE NULL_FILTERED INDEX OrdersByUser ON Orders (ListedFor, CreateTime DESC, OrderId);

-- A store's work, oldest first, and what it has done, newest first. An order is in one of them at a time.
CREATE NULL_FILTERED INDEX OrdersUnderWay ON Orders (UnderWayShard, StoreId, State, CreateTime, OrderId);
CREATE NULL_FILTERED INDEX OrdersEnded ON Orders (EndedShard, StoreId, State, CreateTime DESC, OrderId);

-- Room order.
CREATE TABLE OrderLines (
  OrderId STRING(36) NOT NULL,
  LineNumber INT64 NOT NULL,
  ProductId STRING(64) NOT NULL,
  Name STRING(200) NOT NULL,
  Quantity INT64 NOT NULL,
  -- Minor units, tax included.
  UnitPrice INT64 NOT NULL,
  Currency STRING(3) NOT NULL,
  TaxRateBps INT64 NOT NULL,
  -- Of a product that is sold by weight, what the unit price is for.
  PieceGrams INT64,
  -- Whether the shopper takes another product in its place.
  Substitutable BOOL,
) PRIMARY KEY (OrderId, LineNumber),
  INTERLEAVE IN PARENT Orders ON DELETE CASCADE;

-- Room order. Each state that an order reached, with the version that it had then.
CREATE TABLE OrderHistory (
  OrderId STRING(36) NOT NULL,
  Version INT64 NOT NULL,
  State STRING(16) NOT NULL,
  Actor STRING(64) NOT NULL,
  Reason STRING(200) NOT NULL,
  Time TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  -- Which operator, a user's id; NULL of other actors, and of what a release wrote that kept none. For operators' eyes only.
  OperatorId STRING(64),
) PRIMARY KEY (OrderId, Version),
  INTERLEAVE IN PARENT Orders ON DELETE CASCADE;

-- Room order. People who have deleted their account: their orders lose them when they have ended. Longer than any order is on its way.
CREATE TABLE ForgottenUsers (
  UserId STRING(36) NOT NULL,
  ForgetTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (UserId),
  ROW DELETION POLICY (OLDER_THAN(ForgetTime, INTERVAL 400 DAY));

-- Room payment. Written before any money moves, so it stands before its order does and is no child of it. Request is the
-- frozen checkout (docs/protocol.md, rule 10): lines, prices, address, totals. Amount is what is authorised: the total with its headroom.
CREATE TABLE Payments (
  OrderId STRING(36) NOT NULL,
  State STRING(24) NOT NULL,
  IntentId STRING(128) NOT NULL,
  -- Minor units.
  Amount INT64 NOT NULL,
  Captured INT64 NOT NULL,
  Refunded INT64 NOT NULL,
  Currency STRING(3) NOT NULL,
  Fingerprint BYTES(32) NOT NULL,
  Request JSON NOT NULL,
  CreateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  -- While something is left to do: when the reconciler looks at it; else NULL.
  AttendAfter TIMESTAMP,
  -- Spreads the two indexes below, whose keys grow with time.
  Shard INT64 NOT NULL,
  -- What was picked (pricing.Receipt) as JSON: its total is to be captured. NULL: not packed yet.
  Receipt JSON,
  -- The state while money is still to move, else NULL: what operators list and the audit goes through.
  Unsettled STRING(24) AS (IF(State IN ('INITIATED', 'REQUIRES_ACTION', 'AUTHORIZED', 'CAPTURE_FAILED', 'VOIDING'), State, NULL)) STORED,
) PRIMARY KEY (OrderId);

CREATE NULL_FILTERED INDEX PaymentsToAttend ON Payments (Shard, AttendAfter);

-- Few rows, however many payments there ever were: a payment leaves it once its money is taken or let go.
CREATE NULL_FILTERED INDEX PaymentsUnsettled ON Payments (Shard, Unsettled, CreateTime, OrderId);

-- Room payment. Each state that a payment reached: no transaction moves one twice, so its time tells its place.
CREATE TABLE PaymentHistory (
  OrderId STRING(36) NOT NULL,
  Time TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  State STRING(24) NOT NULL,
  -- shopper, operator, system, provider
  Actor STRING(16) NOT NULL,
  Reason STRING(200) NOT NULL,
  -- As OrderHistory.OperatorId.
  OperatorId STRING(64),
) PRIMARY KEY (OrderId, Time),
  INTERLEAVE IN PARENT Payments ON DELETE CASCADE;

-- Room payment. Money to be given back: recorded before the provider is asked, under the id that is its idempotency key there.
CREATE TABLE Refunds (
  OrderId STRING(36) NOT NULL,
  RefundId STRING(36) NOT NULL,
  -- REQUESTED, DONE, FAILED
  State STRING(16) NOT NULL,
  -- Minor units of the payment's currency.
  Amount INT64 NOT NULL,
  -- [{"product_id": ..., "quantity": ...}]; empty: all that was left, the delivery fee included.
  Lines JSON NOT NULL,
  Reason STRING(200) NOT NULL,
  Actor STRING(64) NOT NULL,
  Fingerprint BYTES(32) NOT NULL,
  CreateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdateTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  -- While it is REQUESTED: when it is gone on with, if whoever asked for it doesn't; else NULL.
  AttendAfter TIMESTAMP,
  -- As Payments.Shard.
  Shard INT64,
) PRIMARY KEY (OrderId, RefundId),
  INTERLEAVE IN PARENT Payments ON DELETE CASCADE;

CREATE NULL_FILTERED INDEX RefundsToAttend ON Refunds (Shard, AttendAfter);

-- Room payment. The inbox: the provider's events that were taken in, so that one that comes again does nothing.
CREATE TABLE ProviderEvents (
  OrderId STRING(36) NOT NULL,
  EventId STRING(100) NOT NULL,
  IntentId STRING(128) NOT NULL,
  Type STRING(100) NOT NULL,
  EventTime TIMESTAMP NOT NULL,
  ReceiveTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (OrderId, EventId),
  ROW DELETION POLICY (OLDER_THAN(ReceiveTime, INTERVAL 30 DAY));

-- Room outbox. Events, written by the transaction that they tell of; the relay publishes them by a cursor a shard.
CREATE TABLE Outbox (
  Shard INT64 NOT NULL,
  CommitTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  EventId STRING(64) NOT NULL,
  Topic STRING(64) NOT NULL,
  Type STRING(128) NOT NULL,
  Subject STRING(128) NOT NULL,
  Data BYTES(MAX) NOT NULL,
  TraceParent STRING(64) NOT NULL,
) PRIMARY KEY (Shard, CommitTime, EventId),
  ROW DELETION POLICY (OLDER_THAN(CommitTime, INTERVAL 7 DAY));

-- Room outbox. Who publishes a shard, and how far it is published: all of an earlier commit time, and those of PublishedTime up to
-- PublishedEventId, or all of them if it is NULL. A shard without a row was never published.
CREATE TABLE OutboxShards (
  Shard INT64 NOT NULL,
  PublishedTime TIMESTAMP NOT NULL,
  PublishedEventId STRING(64),
  -- A relay; NULL: nobody.
  Owner STRING(64),
) PRIMARY KEY (Shard);

-- Room outbox. The relays' signs of life: the shards of one that has given none for a while are taken over.
CREATE TABLE OutboxRelays (
  RelayId STRING(64) NOT NULL,
  SeenTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (RelayId),
  ROW DELETION POLICY (OLDER_THAN(SeenTime, INTERVAL 1 DAY));

-- Room outbox. Dead letters that operators had published again. Written before the message is published, so that none goes without a trace;
-- a row without MessageId is of a replay that nobody knows the end of.
CREATE TABLE Replays (
  Topic STRING(64) NOT NULL,
  LetterId STRING(64) NOT NULL,
  MessageId STRING(64),
  -- The operator's user id.
  Actor STRING(64) NOT NULL,
  Reason STRING(200) NOT NULL,
  Mended BOOL NOT NULL,
  ReplayTime TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Topic, LetterId),
  ROW DELETION POLICY (OLDER_THAN(ReplayTime, INTERVAL 400 DAY));

-- People make these rows, so few that keys which grow with time do no harm.
CREATE INDEX ReplaysByTime ON Replays (ReplayTime DESC);
