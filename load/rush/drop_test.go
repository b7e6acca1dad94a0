package main

import (
	"errors"
	"net/http"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"larder.dev/load/prove/shop"
)

// Only orders of that product in that store count as sold, and only those that a shopper was told of.
func TestSold(t *testing.T) {
	at := time.UnixMilli(startMS)
	bought := func(store, product string, kind shop.Kind) *shop.Checkout {
		return &shop.Checkout{
			Wishes: []shop.Wish{{Store: store, Lines: []shop.Line{{Product: product, Quantity: 1}}}},
			Deed:   shop.Deed{Asks: []shop.Ask{{Start: at, End: at.Add(time.Second), Answer: shop.Answer{Kind: kind}}}},
		}
	}
	p := &platform{history: &shop.History{Checkouts: []*shop.Checkout{
		bought("soho", "figs", shop.Done), bought("soho", "figs", shop.Done), bought("soho", "figs", shop.Refused), bought("soho", "figs", shop.Unknown),
		bought("camden", "figs", shop.Done), bought("soho", "plums", shop.Done),
	}}}
	if got := p.sold(good{"soho", "figs"}); got != 2 {
		t.Errorf("%d are sold, want 2", got)
	}
}

func TestTellAnswers(t *testing.T) {
	got := tellAnswers([]request{{status: 409, took: 30 * time.Millisecond}, {status: 200, took: 40 * time.Millisecond}, {status: 409, took: 10 * time.Millisecond}})
	if want := "answers by status: 200: 1, p50 40 ms p99 40 ms; 409: 2, p50 10 ms p99 30 ms;"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A drop's attack has carts to be bought, and nothing that is searched for.
func TestTargetsOfADrop(t *testing.T) {
	a := &attack{
		p: &platform{settings: settings{Edge: "127.0.0.1:1"}}, sessions: []shop.Session{{User: "ann", Token: "token"}},
		ready: []*shop.Wish{{Cart: "cart", Store: "soho"}}, byKey: map[string]*shop.Checkout{}, next: map[string]int{},
	}
	var target vegeta.Target
	if err := a.target(checkout, &target); err != nil {
		t.Fatal(err)
	}
	if target.Method != http.MethodPost || target.URL != "http://127.0.0.1:1/v1/checkouts" {
		t.Errorf("%s %s, want a checkout", target.Method, target.URL)
	}
	if err := a.target(checkout, &target); !errors.Is(err, vegeta.ErrNoTargets) {
		t.Errorf("%v behind the last cart, want that there are no targets", err)
	}
}
