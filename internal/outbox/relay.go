package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Relay publishes an outbox: every event at least once, those of one shard in the order of their commit numbers.
//
//  1. Cursor. A shard has a cursor in the database: everything up to it is published. A round asks the database for a bound B, a commit
//     number up to which all is settled: whatever commits later has a higher one. Then it reads the rows above the cursor, up to B. So
//     when all that was read is acknowledged by Pub/Sub, the cursor moves to B. Were B taken after the rows were read, a commit
//     between the two would never be published. Spanner's numbers are commit times, and B is a strong read's own timestamp;
//     PostgreSQL's are transaction ids, and B is below all that still run (package outbox/postgres).
//  2. Cut. A read is bounded. If it was cut, the cursor moves to its last row, (number, event id), and the next read, up to the same B
//     or a higher one, goes on behind that row. Rows with equal numbers are told apart by their ids; all of them were there when B
//     was taken, so none appears later with a lower id.
//  3. Acknowledged first. The cursor moves only past events that Pub/Sub has acknowledged. A relay that dies between the two leaves
//     events that are published again: consumers know them by id, or by the version in them.
//  4. Lease. A shard has an owner; the transaction that moves the cursor checks that the owner is still the mover and the cursor is
//     still what it read. So a relay that was taken for dead and wasn't can publish twice, and never move a cursor past what another
//     relay has yet to publish. A relay lives while its last sign of life is younger than the lease, by the database's clock alone.
//  5. Share. Each relay holds its part of the shards: those alive, ordered by id, divide them evenly. Who has too many gives idle
//     ones back; who has too few takes those that nobody alive owns.
//  6. Nothing is given up. What fails, a database that is gone, a topic that is missing, is logged and tried again, with growing
//     pauses and jitter. An event that Pub/Sub refuses for good holds its shard up until somebody mends it: passing over it would lose
//     it. The lag tells.
//
// No row of the outbox is changed or deleted by the relay; the store clears it of old ones.
type Relay struct {
	name, id  string
	log       *slog.Logger
	store     Store
	publisher Publisher
	options   Options

	busy     map[int64]*shard // being published; only Run's goroutine touches the map
	running  sync.WaitGroup
	stopping atomic.Bool
	renewed  time.Time
	settled  time.Time // every event of the relay's shards from before that is acknowledged, by the last round that saw all of them
	stats    stats
}

// Store keeps the outbox's rows, its cursors and its leases.
type Store interface {
	// Look reads the bound, cursors and leases.
	Look(ctx context.Context) (View, error)
	// Waiting returns those of the shards that have events above their cursors and up to a view's bound, and perhaps others.
	Waiting(ctx context.Context, shards []Lease, bound int64) ([]Lease, error)
	// Read returns a shard's first events above a position and up to a view's bound, at most limit of them and not many more bytes
	// than Pub/Sub takes at once, in order.
	Read(ctx context.Context, shard int64, above Position, bound int64, limit int) (Batch, error)
	// Move moves a shard's cursor. ErrLost: the shard isn't the relay's any more, or its cursor isn't at from; nothing moved.
	Move(ctx context.Context, relay string, shard int64, from, to Position) error
	// Renew gives a sign of life.
	Renew(ctx context.Context, relay string) error
	// Claim takes those of the shards whose owner is still the given one.
	Claim(ctx context.Context, relay string, shards []Lease) error
	// Release gives back those of the shards that are the relay's.
	Release(ctx context.Context, relay string, shards []int64) error
	// Leave gives back all of them, and ends the relay's life.
	Leave(ctx context.Context, relay string) error
}

// Publisher publishes to a topic. It returns nil when all events are acknowledged; after an error any of them may have been published.
type Publisher interface {
	Publish(ctx context.Context, topic string, events []Committed) error
}

// Batch is what a read found.
type Batch struct {
	Events []Committed
	// Cut: there may be more.
	Cut bool
}

// View is what a look saw.
type View struct {
	// Bound is a commit number: every row of that number or a lower one is there for all later reads.
	Bound int64
	// Held is the time of an event that is there but above the bound, the lowest such; zero if there is none.
	Held time.Time
	// Time is the database's clock.
	Time time.Time
	// Seen has each relay's last sign of life.
	Seen map[string]time.Time
	// Leases has every shard once, in order; a shard that was never owned has no owner, and the zero position.
	Leases []Lease
}

// Lease is who publishes a shard, and how far it is published.
type Lease struct {
	Shard  int64
	Owner  string
	Cursor Position
}

// ErrLost is Store.Move's: somebody else publishes the shard.
var ErrLost = errors.New("the shard is not this relay's any more")

// Options of a relay.
type Options struct {
	// Lease is how long after its last sign of life a relay is taken for dead.
	Lease time.Duration `env:"RELAY_LEASE" envDefault:"10s"`
	// Batch is how many events are read and published at once; Pub/Sub takes 1,000.
	Batch int `env:"RELAY_BATCH" envDefault:"500"`
	// MinPause and MaxPause bound the pause between two looks, which grows while there is nothing to publish.
	MinPause time.Duration `env:"RELAY_MIN_PAUSE" envDefault:"50ms"`
	MaxPause time.Duration `env:"RELAY_MAX_PAUSE" envDefault:"1s"`
	// Report is how often a relay logs what it did.
	Report time.Duration `env:"RELAY_REPORT" envDefault:"10s"`
}

// Limits of single steps.
const (
	storeLimit   = 10 * time.Second
	publishLimit = 10 * time.Second
	// finishLimit is for what is being published when the relay is told to stop, leaveLimit for giving its shards back after that.
	finishLimit = 4 * time.Second
	leaveLimit  = 2 * time.Second
)

// NewRelay makes a relay of the outbox that logs call by name. The id is its own alone: a process that is started again is another
// relay.
func NewRelay(name, id string, store Store, publisher Publisher, options Options) *Relay {
	return &Relay{
		name: name, id: id, log: slog.Default().With("outbox", name), store: store, publisher: publisher, options: options, busy: map[int64]*shard{},
	}
}

// Run publishes until ctx ends. It then finishes the batches under way and gives its shards back, in less than 7 seconds.
func (r *Relay) Run(ctx context.Context) error {
	// Publishing outlives ctx by finishLimit.
	publishing, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() {
		r.stopping.Store(true)
		time.AfterFunc(finishLimit, abort)
	})()
	reports := time.NewTicker(r.options.Report)
	defer reports.Stop()
	defer r.measure()()
	r.settled = time.Now()

	idle := pause{min: r.options.MinPause, max: r.options.MaxPause}
	failing := pause{min: r.options.MinPause, max: 5 * time.Second}
	for ctx.Err() == nil {
		start := time.Now()
		worked, lag, err := r.round(ctx, publishing)
		wait := &idle
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			r.log.WarnContext(ctx, "outbox: a round failed", "error", err)
			wait = &failing
			// What it didn't see may be as old as what the last one left, or have been written right behind it.
			r.stats.lag.Store(int64(time.Since(r.settled)))
		default:
			failing.reset()
			r.settled = start.Add(-lag)
			r.stats.lag.Store(int64(lag))
			if worked {
				idle.reset()
			}
		}
		// A database whose reads have become slow is asked less often: it is busy with them for half the time at most.
		sleep(ctx, max(wait.next(), time.Since(start)))
		select {
		case <-reports.C:
			r.report(ctx)
		default:
		}
	}
	return r.leave(ctx)
}

// round looks once, keeps the relay's share, and starts to publish each shard of its own that has something new and is at rest. The lag is
// the age of the oldest event of these shards that isn't acknowledged.
func (r *Relay) round(ctx, publishing context.Context) (worked bool, lag time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	for id, s := range r.busy {
		if s.ended.Load() {
			delete(r.busy, id)
		}
	}
	// A shard that comes to rest after this has a cursor which the view may not show: it is left to the next round.
	start := time.Now()
	view, err := r.store.Look(ctx)
	if err != nil {
		return false, 0, fmt.Errorf("look at the shards: %w", err)
	}
	r.stats.look.Store(int64(time.Since(start)))

	mine, moved, err := r.share(ctx, view)
	if err != nil {
		return false, 0, err
	}
	found, lag, err := r.publish(ctx, publishing, mine, view)
	return found || moved || len(r.busy) > 0, lag, err
}

// publish reads the shards that are at rest and starts to publish where there is something.
func (r *Relay) publish(ctx, publishing context.Context, mine []Lease, view View) (found bool, lag time.Duration, err error) {
	if len(mine) > 0 && !view.Held.IsZero() {
		lag = view.Time.Sub(view.Held)
	}
	var resting []Lease
	for _, lease := range mine {
		s := r.busy[lease.Shard]
		if s == nil {
			resting = append(resting, lease)
		} else if !s.ended.Load() {
			lag = max(lag, view.Time.Sub(time.Unix(0, s.oldest.Load())))
		}
	}
	waiting, err := r.store.Waiting(ctx, resting, view.Bound)
	if err != nil {
		return false, 0, fmt.Errorf("look for events in the outbox: %w", err)
	}
	batches := make([]Batch, len(waiting))
	var group errgroup.Group
	for i, lease := range waiting {
		group.Go(func() (err error) {
			batches[i], err = r.store.Read(ctx, lease.Shard, lease.Cursor, view.Bound, r.options.Batch)
			return err
		})
	}
	err = group.Wait() // what could be read is published whatever became of the rest
	for i, lease := range waiting {
		if len(batches[i].Events) == 0 {
			continue
		}
		found = true
		lag = max(lag, view.Time.Sub(batches[i].Events[0].Time))
		r.start(publishing, lease, batches[i], view.Bound)
	}
	if err != nil {
		return found, lag, fmt.Errorf("read the outbox: %w", err)
	}
	return found, lag, nil
}

// leave ends what is being published and gives the shards back. Without it they'd be taken over when the lease has run out.
func (r *Relay) leave(ctx context.Context) error {
	r.running.Wait()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	if err := r.store.Leave(leaving, r.id); err != nil {
		r.log.WarnContext(ctx, "outbox: shards are kept until the lease has run out", "error", err)
	}
	r.report(ctx)
	return nil
}
