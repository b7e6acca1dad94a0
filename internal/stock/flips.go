package stock

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Flip tells that a product turned available or unavailable, or that a whole store was loaded.
type Flip struct {
	// ID is the flip's place in its stream.
	ID string
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

// Catalogue is the room product, by its service.
type Catalogue interface {
	// Unknown returns those of the products that the catalogue doesn't have. Errors: STORE_NOT_FOUND.
	Unknown(ctx context.Context, store string, products []string) ([]string, error)
	// UpdateAvailability hands over flips; an older version never wins, so repetition and order don't matter.
	UpdateAvailability(ctx context.Context, store string, epoch Epoch, flips []Flip) error
}

// Herald tells the catalogue which products turned available or unavailable, so that search shows it.
type Herald struct {
	stream    FlipStream
	ledger    Ledger
	catalogue Catalogue
}

// NewHerald makes one.
func NewHerald(stream FlipStream, ledger Ledger, catalogue Catalogue) *Herald {
	return &Herald{stream: stream, ledger: ledger, catalogue: catalogue}
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
			found, err := h.ledger.Stores(ctx)
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
			err = h.tellAll(ctx, store, flip.Epoch)
		} else {
			byEpoch[flip.Epoch] = append(byEpoch[flip.Epoch], flip)
		}
		if err != nil {
			return 0, err
		}
	}
	for epoch, flips := range byEpoch {
		if err := h.catalogue.UpdateAvailability(ctx, store, epoch, flips); err != nil {
			return 0, fmt.Errorf("update availability: %w", err)
		}
	}
	if err := h.stream.Acknowledge(ctx, store, flips); err != nil {
		return 0, fmt.Errorf("acknowledge flips: %w", err)
	}
	return len(flips), nil
}

// tellAll may read newer quantities than the load's; their own flips, of higher sequence, come after in the stream.
func (h *Herald) tellAll(ctx context.Context, store string, epoch Epoch) error {
	return h.stream.Scan(ctx, store, func(available map[string]bool) error {
		flips := make([]Flip, 0, len(available))
		for product, is := range available {
			flips = append(flips, Flip{Epoch: epoch, ProductID: product, Available: is})
		}
		if err := h.catalogue.UpdateAvailability(ctx, store, epoch, flips); err != nil {
			return fmt.Errorf("update availability: %w", err)
		}
		return nil
	})
}
