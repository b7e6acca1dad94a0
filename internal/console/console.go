// Package console is the operators' pages, below /console: what the platform is doing, and what people do about it.
//
//   - It is the public API and nothing else, called in the operator's name. What is allowed, the API decides; the console shows operators'
//     pages to operators only.
//   - Every page works without JavaScript. static/console.js brings figures up to date while a page is looked at, and nothing else.
//   - What changes something asks first, on a page that says what will happen (confirm.go). The question carries a key or an etag, so that an
//     answer that is sent twice is done once.
//   - Who did what is the API's to keep: the ledger, an order's and a payment's history, rebuilds, replays. The console has no store.
package console

import (
	"context"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/web"
)

//go:embed pages static
var files embed.FS

// base is the path below which the console lives.
const base = "/console"

// operator is the role whose pages these are.
const operator = "operator"

// Console is the operators' pages.
type Console struct {
	*web.Site

	stores *web.Memo[[]*productpb.Store]
}

// New makes the console.
func New(shared web.Config, proxies int) (*Console, error) {
	c := &Console{}
	var err error
	c.Site, err = web.NewSite(web.Options{
		Config: shared, Proxies: proxies, Session: "larder-console", Base: base, SignInPath: "/sign-in", Files: files,
		Frame: c.frame, Funcs: template.FuncMap{
			"words": words, "ago": ago, "age": age, "short": short, "seconds": seconds, "done": func(code string) string { return done[code] },
			"kilos": kilos, "signed": signed, "same": same, "loading": loading,
		},
	})
	if err != nil {
		return nil, err
	}
	c.stores = web.NewMemo(keptStores, func(ctx context.Context) ([]*productpb.Store, error) {
		answer, err := c.API.ListStores(ctx, &productpb.ListStoresRequest{})
		return answer.GetStores(), err
	})
	c.route()
	return c, nil
}

func (c *Console) route() {
	c.Handle("GET /console/sign-in", c.showSignIn)
	c.Handle("POST /console/sign-in", c.signIn)
	c.Handle("POST /console/sign-out", c.signOut)

	for pattern, page := range map[string]web.Page{
		"GET /console":                          c.overview,
		"GET /console/orders":                   c.listOrders,
		"GET /console/orders/{order}":           c.showOrder,
		"POST /console/orders/{order}/{verb}":   c.moveOrder,
		"POST /console/orders/{order}/pack":     c.packOrder,
		"POST /console/orders/{order}/refund":   c.refundOrder,
		"GET /console/stock":                    c.listStock,
		"GET /console/stock/{store}/{product}":  c.showStock,
		"POST /console/stock/{store}/{product}": c.adjustStock,
		"POST /console/stock/{store}/rebuild":   c.rebuildStock,
		"GET /console/checkouts":                c.listCheckouts,
		"GET /console/payments":                 c.listPayments,
		"POST /console/payments/audit":          c.auditPayments,
		"GET /console/events":                   c.showEvents,
		"GET /console/events/{topic}/{letter}":  c.showLetter,
		"POST /console/events/{topic}/{letter}": c.replayLetter,
		"POST /console/events/{topic}/replay":   c.replayAll,
		"GET /console/imports":                  c.listImports,
		"GET /console/search":                   c.showSearch,
		"POST /console/search/audit":            c.auditIndex,
	} {
		c.Handle(pattern, forOperators(page))
	}
}

// forOperators keeps a page to those who have the role. The API would refuse all that the page asks; this says it once, in words.
func forOperators(page web.Page) web.Page {
	return web.SignedIn(func(w http.ResponseWriter, r *http.Request) error {
		if person := web.PersonOf(r.Context()); !person.Is(operator) {
			return &web.Trouble{
				Status: http.StatusForbidden, Title: "The console is for operators",
				Text: "Your account is " + person.Email + ", which has no operator's rights. Sign in with another one, or ask who administers the shop.",
			}
		}
		return page(w, r)
	})
}

// frame is what the layout shows on every page.
type frame struct {
	Stores  []*productpb.Store
	Store   string // whose things are shown
	Section string
	// Done is a code of what was just done, of words.go.
	Done string
	// Operator tells whether the person may see the console.
	Operator bool
}

// frame mustn't fail: without the API, a page of an error still has a head and a foot.
func (c *Console) frame(r *http.Request) any {
	f := frame{Section: section(r.URL.Path), Done: r.URL.Query().Get("done"), Operator: web.PersonOf(r.Context()).Is(operator)}
	if f.Operator {
		f.Stores, _ = c.stores.Get(r.Context())
		f.Store = c.storeOf(r)
	}
	return f
}

// keptStores is how long the list of stores is kept: it changes a few times a year.
const keptStores = time.Minute

// storeOf is the store whose things a request is about: the path's, the query's if there is such a store, else the first one, as the page's choice
// of stores shows it.
func (c *Console) storeOf(r *http.Request) string {
	if store := r.PathValue("store"); store != "" {
		return store
	}
	stores, err := c.stores.Get(r.Context())
	store := r.URL.Query().Get("store")
	known := slices.ContainsFunc(stores, func(s *productpb.Store) bool { return s.GetStoreId() == store })
	if known || err != nil || len(stores) == 0 {
		return store
	}
	return stores[0].GetStoreId()
}

// link is an address of the console's with a query.
func link(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return base + path
	}
	return base + path + "?" + query.Encode()
}

// goOn sends the browser to a page that shows what was done.
func goOn(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
