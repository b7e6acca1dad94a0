// Package storefront is the shop that people see: pages made here, on the public API and nothing else.
//
//   - Every page works without JavaScript: links and forms do all there is to do. static/app.js adds what is quicker with it: suggestions as
//     one types, a basket that opens beside the page, facets that apply at once, an order that moves by itself.
//   - What a browser keeps of a visit that nobody has signed in for, is in one encrypted cookie: the store, the postcode, and the guest
//     cart's id, which is a capability (decision 0301).
//   - Prices, stock and totals are the API's. No page computes one.
package storefront

import (
	"context"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/web"
)

//go:embed pages static
var files embed.FS

// Config is what the storefront reads from its environment besides web.Config.
type Config struct {
	// TestCards offers the payment provider's test cards, for a platform whose provider is in test mode. Without it nobody can pay until the
	// provider's own form is put into the page.
	TestCards bool `env:"TEST_CARDS" envDefault:"false"`
	// StreamsMax is how many orders are followed at once by a process; the next one is shown without.
	StreamsMax int `env:"STREAMS_MAX" envDefault:"1000"`
}

// Storefront is the shop's pages.
type Storefront struct {
	*web.Site
	config  Config
	life    context.Context // streams end with it
	streams chan struct{}

	stores *web.Memo[[]*productpb.Store]
	aisles *web.Memo[*aisles]
}

// New makes the shop. Streams end when ctx does.
func New(ctx context.Context, config Config, shared web.Config, proxies int) (*Storefront, error) {
	s := &Storefront{config: config, life: ctx, streams: make(chan struct{}, config.StreamsMax)}
	var err error
	s.Site, err = web.NewSite(web.Options{
		Config: shared, Proxies: proxies, Session: "larder-session", SignInPath: "/sign-in", Files: files,
		Frame: s.frame, Funcs: template.FuncMap{
			"picture": pictureURL, "words": words, "tag": tagName, "status": stateName, "percent": func(bps int32) float64 { return float64(bps) / 100 },
			"minus": func(a, b int32) int32 { return a - b }, "plus": func(a, b int32) int32 { return a + b },
			"pounds": pounds, "grams": grams, "quantities": func() []int { return []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} },
		},
	})
	if err != nil {
		return nil, err
	}
	s.stores = web.NewMemo(time.Minute, s.listStores)
	s.aisles = web.NewMemo(time.Minute, s.listAisles)
	s.route()
	return s, nil
}

func (s *Storefront) route() {
	s.Handle("GET /{$}", s.home)
	s.Handle("GET /search", s.search)
	s.Handle("GET /suggest", s.suggest)
	s.Handle("GET /aisles/{aisle}", s.search)
	s.Handle("GET /products/{product}", s.product)
	s.HandlePlain("GET /pictures/{aisle}/{picture}", http.HandlerFunc(picture))
	s.Handle("POST /store", s.chooseStore)

	s.Handle("GET /cart", s.showCart)
	s.Handle("POST /cart/items", s.putItem)

	s.Handle("GET /checkout", web.SignedIn(s.showCheckout))
	s.Handle("POST /checkout", web.SignedIn(s.checkOut))
	s.Handle("GET /checkouts/{checkout}", web.SignedIn(s.showProgress))
	s.Handle("GET /orders", web.SignedIn(s.listOrders))
	s.Handle("GET /orders/{order}", web.SignedIn(s.showOrder))
	s.Handle("GET /orders/{order}/live", web.SignedIn(s.followOrder))
	s.Handle("POST /orders/{order}/cancel", web.SignedIn(s.cancelOrder))

	s.Handle("GET /sign-in", s.showSignIn)
	s.Handle("POST /sign-in", s.signIn)
	s.Handle("POST /sign-out", s.signOut)
	s.Handle("GET /register", s.showRegister)
	s.Handle("POST /register", s.register)
	s.Handle("GET /forgot", s.showForgot)
	s.Handle("POST /forgot", s.forgot)
	s.Handle("GET /reset", s.showReset)
	s.Handle("POST /reset", s.reset)
	s.Handle("GET /verify", s.showVerify)
	s.Handle("POST /verify", s.verify)
	s.Handle("GET /account", web.SignedIn(s.account))
	s.Handle("POST /account/addresses", web.SignedIn(s.addAddress))
	s.Handle("POST /account/addresses/{address}/delete", web.SignedIn(s.deleteAddress))
}

// frame is what the layout shows on every page.
type frame struct {
	Visit  visit
	Store  *productpb.Store   // nil: none is known
	Stores []*productpb.Store // to choose from
	Aisles []aisle            // at the top
}

// frame mustn't fail: without the API, a page of an error still has a head and a foot.
func (s *Storefront) frame(r *http.Request) any {
	f := frame{Visit: s.visit(r)}
	if stores, err := s.stores.Get(r.Context()); err == nil {
		f.Stores = stores
		f.Store = storeOf(stores, f.Visit.Store)
	}
	if all, err := s.aisles.Get(r.Context()); err == nil {
		f.Aisles = all.below("")
	}
	return f
}

// visit is what the browser keeps.
type visit struct {
	Store    string `json:"s,omitempty"`
	Postcode string `json:"p,omitempty"`
	// Cart is the guest cart's id; empty for who is signed in, whose cart is "me".
	Cart string `json:"c,omitempty"`
	// Count is how many things were in the cart when it was last seen.
	Count int32 `json:"n,omitempty"`
}

const (
	visitCookie = "larder-visit"
	visitLife   = 30 * 24 * time.Hour
)

type visitKey struct{}

// visit is that of the request, with what the page has changed of it so far.
func (s *Storefront) visit(r *http.Request) visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return *v
	}
	var v visit
	s.Jar.Get(r, visitCookie, &v)
	return v
}

// keep has the browser keep v, and the rest of this request see it.
func (s *Storefront) keep(w http.ResponseWriter, r *http.Request, v visit) (*http.Request, error) {
	if v == s.visit(r) {
		return r, nil
	}
	if err := s.Jar.Put(w, visitCookie, v, visitLife); err != nil {
		return r, err
	}
	return r.WithContext(context.WithValue(r.Context(), visitKey{}, &v)), nil
}

// store is the visit's store, or the first one of all until one is chosen.
func (s *Storefront) store(r *http.Request) (*productpb.Store, error) {
	stores, err := s.stores.Get(r.Context())
	if err != nil {
		return nil, err
	}
	if store := storeOf(stores, s.visit(r).Store); store != nil {
		return store, nil
	}
	return nil, &web.Trouble{Status: http.StatusServiceUnavailable, Title: "No store is open", Text: "Please come back later."}
}

func storeOf(stores []*productpb.Store, id string) *productpb.Store {
	for _, store := range stores {
		if store.GetStoreId() == id {
			return store
		}
	}
	if len(stores) > 0 {
		return stores[0]
	}
	return nil
}

// delivers tells whether a store goes to a postcode: its outward code is in the store's list.
func delivers(store *productpb.Store, postcode string) bool {
	code := strings.ToUpper(strings.ReplaceAll(postcode, " ", ""))
	if len(code) > 4 { // the inward code has three characters
		code = code[:len(code)-3]
	}
	return slices.Contains(store.GetPostcodes(), code)
}

// chooseStore moves the visit to the store that a form names, or to one that delivers to its postcode.
func (s *Storefront) chooseStore(w http.ResponseWriter, r *http.Request) error {
	stores, err := s.stores.Get(r.Context())
	if err != nil {
		return err
	}
	postcode := strings.ToUpper(strings.TrimSpace(r.FormValue("postcode")))
	var chosen *productpb.Store
	for _, store := range stores {
		if store.GetStoreId() == r.FormValue("store") || chosen == nil && postcode != "" && delivers(store, postcode) {
			chosen = store
		}
	}
	if chosen == nil {
		return &web.Trouble{
			Status: http.StatusNotFound, Title: "We don't deliver there yet",
			Text: "No store of ours goes to this postcode. Please check it, or choose a store to look around.",
		}
	}
	if r, err = s.moveCart(w, r, chosen.GetStoreId()); err != nil {
		return err
	}
	v := s.visit(r)
	v.Store = chosen.GetStoreId()
	if postcode != "" && delivers(chosen, postcode) {
		v.Postcode = postcode
	}
	if _, err = s.keep(w, r, v); err != nil {
		return err
	}
	http.Redirect(w, r, web.Next(r, "/"), http.StatusSeeOther)
	return nil
}
