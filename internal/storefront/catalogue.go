package storefront

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	productpb "larder.dev/api/product/v1"
)

// memo keeps what every page needs and hardly ever changes, the stores and the aisles. What can't be read anew stays as it was: a shop with
// yesterday's aisles is better than none.
type memo[T any] struct {
	life time.Duration
	read func(context.Context) (T, error)

	running singleflight.Group
	mu      sync.Mutex
	value   T
	until   time.Time
	known   bool
}

func newMemo[T any](life time.Duration, read func(context.Context) (T, error)) *memo[T] {
	return &memo[T]{life: life, read: read}
}

func (m *memo[T]) get(ctx context.Context) (T, error) {
	m.mu.Lock()
	value, known, fresh := m.value, m.known, time.Now().Before(m.until)
	m.mu.Unlock()
	if fresh {
		return value, nil
	}
	next, err, _ := m.running.Do("", func() (any, error) {
		value, err := m.read(context.WithoutCancel(ctx))
		if err != nil {
			return value, err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.value, m.until, m.known = value, time.Now().Add(m.life), true
		return value, nil
	})
	if err != nil && known {
		return value, nil
	}
	value, _ = next.(T)
	return value, err
}

func (s *Storefront) listStores(ctx context.Context) ([]*productpb.Store, error) {
	answer, err := s.API.ListStores(ctx, &productpb.ListStoresRequest{})
	return answer.GetStores(), err
}

// aisle is a category as pages show it.
type aisle struct{ ID, Name, Parent string }

// aisles are the tree of categories.
type aisles struct {
	byID     map[string]aisle
	byParent map[string][]aisle // in display order
}

func (s *Storefront) listAisles(ctx context.Context) (*aisles, error) {
	answer, err := s.API.ListCategories(ctx, &productpb.ListCategoriesRequest{})
	if err != nil {
		return nil, err
	}
	all := &aisles{byID: map[string]aisle{}, byParent: map[string][]aisle{}}
	for _, category := range answer.GetCategories() {
		a := aisle{ID: category.GetCategoryId(), Name: category.GetName(), Parent: category.GetParentId()}
		all.byID[a.ID] = a
		all.byParent[a.Parent] = append(all.byParent[a.Parent], a)
	}
	return all, nil
}

func (a *aisles) below(id string) []aisle { return a.byParent[id] }

// path leads from the top to an aisle, itself included; empty: there is no such one.
func (a *aisles) path(id string) []aisle {
	var path []aisle
	for len(path) < 10 { // deeper than any tree
		one, ok := a.byID[id]
		if !ok {
			break
		}
		path = append([]aisle{one}, path...)
		id = one.Parent
	}
	return path
}

// words makes a slug readable: "gluten-free" is "gluten free".
func words(slug string) string { return strings.ReplaceAll(slug, "-", " ") }

// tagName begins a tag with a capital: "Gluten free".
func tagName(slug string) string {
	text := words(slug)
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
