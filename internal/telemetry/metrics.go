package telemetry

// All is every metric that the platform's programs record and that somebody looks at. docs/observability.md and the dashboards, locally and
// in Google Cloud, are made from it (metrics_test.go).
var All []Metric

// Outcomes that several metrics share.
const (
	OK      = "ok"
	Failed  = "failed"
	Refused = "refused"
)

// OutcomeOf is OK for no error, else Failed.
func OutcomeOf(err error) string {
	if err != nil {
		return Failed
	}
	return OK
}

// Requests.
var (
	ServerCalls = duration(Metric{
		Name: "rpc.server.call.duration", Alert: "slo-burn-fast",
		Meaning:    "What a method took to answer, by gRPC or REST; rate, errors and duration of each method are in it.",
		Attributes: []Attribute{{Key: "rpc.method"}, {Key: "rpc.response.status_code"}},
	})
	ClientCalls = described(Metric{
		Name: "rpc.client.call.duration", Kind: KindHistogram, Unit: "s", Library: "otelgrpc",
		Meaning: "What a call took that a program made by gRPC: of other services, Spanner and Pub/Sub.",
	})
	ProviderRequests = described(Metric{
		Name: "http.client.request.duration", Kind: KindHistogram, Unit: "s", Library: "otelhttp",
		Meaning: "What one request to the payment provider took, each try by itself.",
	})
	Admission = counter(Metric{
		Name: "larder.admission.refused", Unit: "{request}", Alert: "overloaded",
		Meaning:    "Requests that were refused before any work was done: too many at once, or too many of one caller.",
		Attributes: []Attribute{{"larder.reason", []string{"OVERLOADED", "RATE_LIMITED"}}},
	})
)

// Checkout and stock.
var (
	CheckoutSteps = duration(Metric{
		Name: "larder.checkout.step.duration", Alert: "checkout-steps-failing",
		Meaning: "What a step of the saga took. Refused is an answer (out of stock, declined); failed leaves the checkout open, and the same step is tried again.",
		Attributes: []Attribute{
			{"larder.checkout.step", []string{"look", "quote", "reserve", "create", "initiate", "confirm", "read", "commit", "settle", "abandon"}},
			{"larder.outcome", []string{OK, Refused, Failed}},
		},
	})
	CheckoutsEnded = counter(Metric{
		Name: "larder.checkout.answers", Unit: "{checkout}",
		Meaning:    "How requests of a checkout were answered, those that were sent again included.",
		Attributes: []Attribute{{"larder.outcome", []string{"confirmed", "requires_action", "processing", Refused, Failed}}},
	})
	Reserve = duration(Metric{
		Name:       "larder.stock.reserve.duration",
		Meaning:    "What it took to hold all lines of an order, rebuilds of the store's stock included.",
		Attributes: []Attribute{{"larder.outcome", []string{"held", "short", Failed}}},
	})
	OversellRefused = counter(Metric{
		Name: "larder.stock.short", Unit: "{line}",
		Meaning:    "Lines that asked for more than is left, and got nothing: each would have been an oversell.",
		Attributes: []Attribute{{"larder.stock.kind", []string{"product", "slot", "limit"}}},
	})
	Holds = counter(Metric{
		Name: "larder.stock.holds", Unit: "{hold}",
		Meaning:    "Holds that were made, settled and released. Made less the other two is what is under way; a repeated request counts again.",
		Attributes: []Attribute{{"larder.stock.event", []string{"made", "settled", "released"}}},
	})
	OpenHolds = level(Metric{
		Name: "larder.stock.holds.open", Unit: "{hold}",
		Meaning:    "Holds of a store that are open, as each process that looks after the store counted them last; the store's are the greatest of these, not their sum.",
		Attributes: []Attribute{{Key: "larder.store"}},
	})
	Epochs = counter(Metric{
		Name: "larder.stock.epochs", Unit: "{epoch}", Alert: "epochs-changing",
		Meaning: "New epochs of stores: each is a rebuild of its stock, after Redis had lost it or somebody asked.",
	})
	Rebuild = duration(Metric{
		Name:       "larder.stock.rebuild.duration",
		Meaning:    "What it took to load a store's stock anew; so long its checkouts wait.",
		Attributes: []Attribute{{"larder.outcome", []string{OK, Failed}}},
	})
)

// Payment.
var PaymentCalls = counter(Metric{
	Name: "larder.payment.calls", Unit: "{call}", Alert: "payments-unavailable",
	Meaning: "Calls to the payment provider, by what came of them: ok, a decline's class, refused, unavailable (not made), or unknown (it may have had its effect).",
	Attributes: []Attribute{
		{"larder.payment.operation", []string{"create", "confirm", "get", "cancel", "capture", "refund", "list"}},
		{"larder.payment.class", []string{
			OK, Refused, "unavailable", "unknown",
			"INSUFFICIENT_FUNDS", "EXPIRED_CARD", "INCORRECT_DETAILS", "FRAUD_SUSPECTED", "AUTHENTICATION_FAILED", "GENERIC",
		}},
	},
})

var outboxes = []Attribute{{"larder.outbox", []string{"spanner", "postgresql"}}}

// Events.
var (
	OutboxLag = gauge(Metric{
		Name: "larder.outbox.lag", Unit: "s", Alert: "outbox-late", Attributes: outboxes,
		Meaning: "Age of the oldest event of a relay's shards that Pub/Sub hasn't acknowledged; 0 if there is none. The outbox's is the greatest of all relays'.",
	})
	OutboxShards = gauge(Metric{
		Name: "larder.outbox.shards", Unit: "{shard}", Attributes: outboxes,
		Meaning: "Shards that a relay publishes; all relays' together are 16.",
	})
	OutboxPublished = counter(Metric{
		Name: "larder.outbox.published", Unit: "{event}", Attributes: outboxes,
		Meaning: "Events that Pub/Sub has acknowledged, those that were published again included.",
	})
	OutboxRetries = counter(Metric{
		Name: "larder.outbox.retries", Unit: "{request}", Attributes: outboxes,
		Meaning: "Requests to publish that failed.",
	})
	Deliveries = duration(Metric{
		Name: "messaging.process.duration", Alert: "dead-letters",
		Meaning:    "What a function took for one delivery: taken in, of a type that isn't its own (ignored), to come again, or put aside as a dead letter.",
		Attributes: []Attribute{{Key: "larder.function"}, {"larder.outcome", []string{OK, "ignored", "again", "aside"}}},
	})
	Runs = duration(Metric{
		Name: "larder.schedule.run.duration", Alert: "schedule-failing",
		Meaning:    "What a run of a scheduled function took.",
		Attributes: []Attribute{{Key: "larder.function"}, {"larder.outcome", []string{OK, Failed}}},
	})
)

// Goroutines is observed by Start, in every program.
var Goroutines = gauge(Metric{
	Name: "go.goroutine.count", Unit: "{goroutine}",
	Meaning: "Goroutines of a process. A number that grows under an even load tells of a leak.",
})

// Search.
var (
	SearchAnswers = counter(Metric{
		Name: "larder.search.answers", Unit: "{answer}",
		Meaning: "Answers to searches and to what is typed, by where they came from: kept (up to a second old), stale (up to five, and the index was asked beside), " +
			"covered (the index was away or slow), shared (somebody else had just asked), index. Failures aren't counted.",
		Attributes: []Attribute{{"larder.search.source", []string{"kept", "stale", "covered", "shared", "index"}}},
	})
	IndexLag = duration(Metric{
		Name: "larder.index.lag", Alert: "index-late",
		Meaning: "From the commit of a catalogue's change in PostgreSQL to its document in Elasticsearch. Search shows it at the next refresh, a second later at most.",
	})
	IndexChanges = counter(Metric{
		Name: "larder.index.changes", Unit: "{change}",
		Meaning:    "Changes of the catalogue that came to the index. Superseded: a newer one was there.",
		Attributes: []Attribute{{"larder.outcome", []string{"written", "superseded", Refused}}},
	})
	Breaker = gauge(Metric{
		Name: "larder.breaker.state", Unit: "{state}", Alert: "breaker-open",
		Meaning:    "A circuit breaker: 0 closed, 1 half open (it tries), 2 open (nothing is asked).",
		Attributes: []Attribute{{"larder.breaker", []string{"elasticsearch", "stripe"}}},
	})
)

// Audits, and carts.
var (
	AuditChecked = counter(Metric{
		Name: "larder.audit.checked", Unit: "{item}",
		Meaning:    "What audits have compared: products of a store, payments, documents.",
		Attributes: audits,
	})
	AuditFindings = counter(Metric{
		Name: "larder.audit.findings", Unit: "{finding}", Alert: "audit-differs",
		Meaning:    "What audits found different.",
		Attributes: audits,
	})
	CartMerges = counter(Metric{
		Name: "larder.cart.merges", Unit: "{cart}",
		Meaning:    "Guest carts that were taken into a shopper's after signing in.",
		Attributes: []Attribute{{"larder.outcome", []string{OK, Refused, Failed}}},
	})
)

var audits = []Attribute{{"larder.audit", []string{"stock", "payments", "index"}}}
