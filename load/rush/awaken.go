package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"larder.dev/load/bench/figure"
	"larder.dev/load/queries"
)

// What a query costs Elasticsearch falls to a tenth while its compilers work: after some ten thousand of them it is what it is from then on. So
// many are asked before anything is measured, by as many at once as don't get into each other's way.
const (
	awake     = 3 * time.Minute
	awakeners = 4
)

// awaken asks a platform that was just started for searches and suggestions, each caller one after the other, and tells what they took at
// first and in the end. What is answered doesn't matter; it is to be answered.
func (p *platform) awaken(ctx context.Context) error {
	const told = awake / 6
	began := time.Now()
	stores := p.people.Stores()
	var mu sync.Mutex
	var asked int
	var first, last []time.Duration
	group, asking := errgroup.WithContext(ctx)
	for i := range awakeners {
		random := p.random(uint64(1000 + i))
		group.Go(func() error {
			for n := 0; time.Since(began) < awake; n++ {
				text, kind := p.words[random.IntN(len(p.words))], search
				if n%5 == 0 {
					text = queries.Misspelt(random, text)
				}
				if n%6 == 0 {
					text, kind = beginning(text, 2+random.IntN(8)), suggest
				}
				start := time.Now()
				if err := look(asking, p.question(kind, stores[random.IntN(len(stores))], text)); err != nil {
					return err
				}
				took := time.Since(start)
				mu.Lock()
				asked++
				switch passed := time.Since(began); {
				case passed < told:
					first = append(first, took)
				case passed > awake-told:
					last = append(last, took)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.say("warm: %d searches and suggestions in %s, %d at once; p50 %s and p99 %s in the first %s, %s and %s in the last", asked, awake, awakeners,
		ms(figure.Percentile(first, 500)), ms(figure.Percentile(first, 990)), told, ms(figure.Percentile(last, 500)), ms(figure.Percentile(last, 990)))
	return nil
}

// question is the address of a search, or of what is suggested for a beginning.
func (p *platform) question(kind, store, text string) string {
	path := "/v1/search"
	if kind == suggest {
		path += ":suggest"
	}
	return p.edge() + path + "?" + url.Values{"store": {store}, "q": {text}}.Encode()
}

// beginning is a text's first letters.
func beginning(text string, letters int) string {
	all := []rune(text)
	return string(all[:min(len(all), letters)])
}

// look reads an answer, whatever it is.
func look(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}
