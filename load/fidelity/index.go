package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// index is the search index, read from outside.
type index struct{ url string }

type hit struct {
	ID      string
	Version int64
	Source  map[string]any
	Fields  map[string][]any
}

func (x *index) ask(ctx context.Context, method, path string, body, into any) error {
	var text io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		text = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, x.url+path, text)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %.300s", method, path, res.StatusCode, answer)
	}
	return json.Unmarshal(answer, into)
}

// indices are those of the catalogue, the live one and one to go back to.
func (x *index) indices(ctx context.Context) ([]string, error) {
	var found map[string]any
	if err := x.ask(ctx, "GET", "/products-*", nil, &found); err != nil {
		return nil, err
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (x *index) search(ctx context.Context, of string, body map[string]any) ([]hit, error) {
	var answer struct {
		Hits struct {
			Hits []struct {
				ID      string           `json:"_id"`
				Version int64            `json:"_version"`
				Source  map[string]any   `json:"_source"`
				Fields  map[string][]any `json:"fields"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := x.ask(ctx, "POST", "/"+of+"/_search", body, &answer); err != nil {
		return nil, err
	}
	hits := make([]hit, len(answer.Hits.Hits))
	for i, h := range answer.Hits.Hits {
		hits[i] = hit(h)
	}
	return hits, nil
}

// all reads every document of the workload's products.
func (x *index) all(ctx context.Context, of string) (map[string]map[string]any, error) {
	var none any
	if err := x.ask(ctx, "POST", "/"+of+"/_refresh", nil, &none); err != nil {
		return nil, err
	}
	const page = 1000
	documents := map[string]map[string]any{}
	for after := prefix; ; {
		hits, err := x.search(ctx, of, map[string]any{
			"size": page, "sort": []any{map[string]any{"product_id": "asc"}},
			"query": map[string]any{"range": map[string]any{"product_id": map[string]any{"gt": after, "lt": behind}}},
		})
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			documents[h.ID] = h.Source
		}
		if len(hits) < page {
			return documents, nil
		}
		after = hits[page-1].ID
	}
}

// found is how an index differs from the journal.
type found struct {
	products, deleted                  int
	missing, stale, extra, resurrected int
	details                            []string
}

func (f *found) any() bool { return f.missing+f.stale+f.extra+f.resurrected > 0 }

func (f *found) same(as *found) bool {
	return f.missing == as.missing && f.stale == as.stale && f.extra == as.extra && f.resurrected == as.resurrected
}

func (f *found) tell(format string, args ...any) {
	const most = 20
	if len(f.details) < most {
		f.details = append(f.details, fmt.Sprintf(format, args...))
	}
}

// compare holds every generation of the index against the journal: the live one, and the one that could be gone back to.
func (w *world) compare(ctx context.Context) (*found, error) {
	names, err := w.index.indices(ctx)
	if err != nil {
		return nil, err
	}
	want := w.journal.documents()
	found := &found{products: len(want)}
	for _, d := range want {
		if d["deleted"] == true {
			found.deleted++
		}
	}
	for _, name := range names {
		have, err := w.index.all(ctx, name)
		if err != nil {
			return nil, err
		}
		found.differences(name, want, have)
	}
	return found, nil
}

func (f *found) differences(name string, want, have map[string]map[string]any) {
	for id, d := range want {
		got := have[id]
		delete(got, "revision")
		delete(got, "update_time")
		alive := got != nil && got["deleted"] != true
		switch {
		case d["deleted"] == true && !alive: // gone, or marked as deleted
		case d["deleted"] == true:
			f.resurrected++
			f.tell("resurrected: %s in %s: %v", id, name, got)
		case !alive:
			f.missing++
			f.tell("missing: %s in %s", id, name)
		case !reflect.DeepEqual(got, d):
			f.stale++
			f.tell("stale: %s in %s: %s", id, name, difference(d, got))
		}
	}
	for id, got := range have {
		if _, known := want[id]; !known {
			f.extra++
			f.tell("extra: %s in %s: %v", id, name, got)
		}
	}
}

// difference names the fields that aren't equal.
func difference(want, got map[string]any) string {
	var parts []string
	for field, value := range want {
		if !reflect.DeepEqual(value, got[field]) {
			parts = append(parts, fmt.Sprintf("%s is %v, want %v", field, got[field], value))
		}
	}
	for field := range got {
		if _, known := want[field]; !known {
			parts = append(parts, fmt.Sprintf("%s is %v, want none", field, got[field]))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// watch measures how long a change takes to be found.
type watch struct {
	index   *index
	mu      sync.Mutex
	pending map[string]change // by product, the newest one that isn't found yet
	lags    lags
	done    chan struct{}
}

type change struct {
	mark      string // the name's last word, which no other name has
	committed time.Time
}

const lookEvery = 20 * time.Millisecond

// watch looks for what it is told to expect until ctx ends and everything expected is found, or a while after.
func (x *index) watch(ctx context.Context) *watch {
	w := &watch{index: x, pending: map[string]change{}, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		last, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(10*time.Second, cancel) })()
		for last.Err() == nil && (ctx.Err() == nil || w.open()) {
			w.look(last)
			select {
			case <-last.Done():
			case <-time.After(lookEvery):
			}
		}
	}()
	return w
}

// expect is told of a product's new name, right after its commit.
func (w *watch) expect(p *product) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.deleted {
		delete(w.pending, p.id)
		return
	}
	w.pending[p.id] = change{p.name[strings.LastIndexByte(p.name, ' ')+1:], time.Now()}
}

func (w *watch) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending) > 0
}

func (w *watch) look(ctx context.Context) {
	const most = 200
	w.mu.Lock()
	ids := make([]string, 0, most)
	for id := range w.pending {
		if ids = append(ids, id); len(ids) == most {
			break
		}
	}
	w.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	// The name as a value to sort by, in small letters: reading the documents as well would cost more than all that is measured.
	const name = "name.exact"
	hits, err := w.index.search(ctx, "products", map[string]any{
		"size": most, "_source": false, "docvalue_fields": []string{name}, "query": map[string]any{"terms": map[string]any{"product_id": ids}},
	})
	now := time.Now()
	if err != nil {
		return // seen again at once, and in the figure
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hits {
		c, ok := w.pending[h.ID]
		if !ok || len(h.Fields[name]) != 1 {
			continue
		}
		if shown, _ := h.Fields[name][0].(string); strings.HasSuffix(shown, c.mark) {
			w.lags = append(w.lags, now.Sub(c.committed))
			delete(w.pending, h.ID)
		}
	}
}

// wait returns what was measured; what was never found counts as a minute.
func (w *watch) wait() *lags {
	<-w.done
	for range w.pending {
		w.lags = append(w.lags, time.Minute)
	}
	slices.Sort(w.lags)
	return &w.lags
}

type lags []time.Duration

func (l *lags) count() int { return len(*l) }

func (l *lags) quantile(q float64) time.Duration {
	if len(*l) == 0 {
		return time.Minute
	}
	return (*l)[min(int(q*float64(len(*l))), len(*l)-1)]
}
