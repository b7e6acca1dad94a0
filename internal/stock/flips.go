package stock

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Flip tells that a product turned available or unavailable, or that a whole store was loaded.
type Flip struct {
	// ID is the flip's place in its stream, Time when it was written there.
	ID   string
	Time time.Time
	// Epoch and Sequence are its version: the catalogue keeps the newest. A load's availability has sequence 0.
	Epoch     Epoch
	Sequence  int64
	ProductID string
	Available bool
	// Load: every product of the store is to be told anew.
	Load bool
}

// FlipStream gives out each flip until it is acknowledged, to any number of readers.
type FlipStream interface {
	// Flips returns flips that no other reader is busy with, at most limit; none at once if there are none.
	Flips(ctx context.Context, store string, limit int) ([]Flip, error)
	// Acknowledge ends flips.
	Acknowledge(ctx context.Context, store string, flips []Flip) error
	// Scan hands over every product's availability in batches.
	Scan(ctx context.Context, store string, batch func(available map[string]bool) error) error
}

// Announcer publishes what turned available or unavailable in a store. Flips may be announced twice, late and out of order: a listener
// keeps the greatest version of each product.
type Announcer interface {
	Announce(ctx context.Context, store string, epoch Epoch, flips []Flip) error
}

// Stores lists the stores that have stock.
type Stores interface {
	Stores(ctx context.Context) ([]string, error)
}

// Herald announces which products turned available or unavailable, so that the catalogue and search show it.
type Herald struct {
	stream    FlipStream
	stores    Stores
	announcer Announcer
}

// NewHerald makes one.
func NewHerald(stream FlipStream, stores Stores, announcer Announcer) *Herald {
	return &Herald{stream: stream, stores: stores, announcer: announcer}
}

// idle is the pause of a Herald that found nothing to tell; relist is when it looks for new stores.
const (
	idle   = 100 * time.Millisecond
	relist = 2 * time.Second
)

// Run tells flips until ctx ends. What fails is told again.
func (h *Herald) Run(ctx context.Context) error {
	var stores []string
	var listed time.Time
	for ctx.Err() == nil {
		if time.Since(listed) > relist {
			found, err := h.stores.Stores(ctx)
			if err != nil {
				slog.WarnContext(ctx, "list stores", "error", err)
			} else {
				stores, listed = found, time.Now()
			}
		}
		told := 0
		for _, store := range stores {
			n, err := h.Tell(ctx, store)
			if err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "tell flips later", "store", store, "error", err)
			}
			told += n
		}
		if told > 0 {
			continue
		}
		select {
		case <-time.After(idle):
		case <-ctx.Done():
		}
	}
	return nil
}

// Tell hands over one batch of a store's flips and returns how many they were.
func (h *Herald) Tell(ctx context.Context, store string) (int, error) {
	const limit = 500
	flips, err := h.stream.Flips(ctx, store, limit)
	if err != nil || len(flips) == 0 {
		return 0, err
	}
	byEpoch := map[Epoch][]Flip{}
	for _, flip := range flips {
		if flip.Load {
			err = h.tellAll(ctx, store, flip)
		} else {
			byEpoch[flip.Epoch] = append(byEpoch[flip.Epoch], flip)
		}
		if err != nil {
			return 0, err
		}
	}
	for epoch, flips := range byEpoch {
		if err := h.announce(ctx, store, epoch, flips); err != nil {
			return 0, err
		}
	}
	if err := h.stream.Acknowledge(ctx, store, flips); err != nil {
		return 0, fmt.Errorf("acknowledge flips: %w", err)
	}
	return len(flips), nil
}

// tellAll may read newer quantities than the load's; their own flips, of higher sequence, come after in the stream.
func (h *Herald) tellAll(ctx context.Context, store string, load Flip) error {
	return h.stream.Scan(ctx, store, func(available map[string]bool) error {
		flips := make([]Flip, 0, len(available))
		for product, is := range available {
			flips = append(flips, Flip{Time: load.Time, Epoch: load.Epoch, ProductID: product, Available: is})
		}
		return h.announce(ctx, store, load.Epoch, flips)
	})
}

// announce leaves out slots and limits: they are counted as products, and aren't any.
func (h *Herald) announce(ctx context.Context, store string, epoch Epoch, flips []Flip) error {
	flips = slices.DeleteFunc(flips, func(f Flip) bool { return !isProduct(f.ProductID) })
	if len(flips) == 0 {
		return nil
	}
	slices.SortFunc(flips, func(a, b Flip) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.ProductID, b.ProductID))
	})
	if err := h.announcer.Announce(ctx, store, epoch, flips); err != nil {
		return fmt.Errorf("announce flips: %w", err)
	}
	return nil
}
