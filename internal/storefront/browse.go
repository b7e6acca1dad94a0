package storefront

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sync/errgroup"

	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/web"
)

const (
	pageSize = 24
	related  = 6
)

// home: the aisles, and what others buy.
func (s *Storefront) home(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store(r)
	if err != nil {
		return err
	}
	var popular *searchpb.SearchResponse
	var asked *searchpb.SuggestResponse
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() (err error) {
		popular, err = s.API.Search(ctx, &searchpb.SearchRequest{Store: store.GetStoreId(), PageSize: 12})
		return err
	})
	group.Go(func() (err error) {
		asked, err = s.API.Suggest(ctx, &searchpb.SuggestRequest{Store: store.GetStoreId(), Limit: 8})
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return s.Render(w, r, http.StatusOK, "home", struct {
		Popular []*searchpb.Hit
		Asked   []*searchpb.Suggestion
	}{popular.GetHits(), asked.GetSuggestions()})
}

// shelf is what a page of products shows.
type shelf struct {
	Query  query
	Store  *productpb.Store
	Found  *searchpb.SearchResponse
	Facets []facet
	Path   []aisle // of an aisle's page
	Below  []aisle
	Title  string
	// Next is the address of the next page, Clear that without any filter.
	Next, Clear string
	Chips       []chip
	First       bool // the first page of the list
}

// query is what an address asks for.
type query struct {
	Q                    string
	Aisle                string // of an aisle's page, "" of a search
	Category, Brand, Tag []string
	Min, Max             string // pounds, as they were typed
	Sort                 string
	Page                 string
}

// facet is a list of boxes to tick.
type facet struct {
	Field, Title string
	Values       []choice
	Open         bool
}

type choice struct {
	Value, Label string
	Count        int64
	Chosen       bool
}

// chip is a filter that is on, with the address of the page without it.
type chip struct{ Label, Without string }

var sorts = map[string]searchpb.SearchRequest_Sort{
	"": searchpb.SearchRequest_SORT_UNSPECIFIED, "price": searchpb.SearchRequest_PRICE_ASCENDING,
	"-price": searchpb.SearchRequest_PRICE_DESCENDING, "name": searchpb.SearchRequest_NAME,
}

// search serves both a search and an aisle, which is a search for nothing in a category.
func (s *Storefront) search(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store(r)
	if err != nil {
		return err
	}
	all, err := s.aisles.Get(r.Context())
	if err != nil {
		return err
	}
	form := r.URL.Query()
	q := query{
		Q: typed(form.Get("q"), 200), Aisle: r.PathValue("aisle"), Category: some(form["category"]), Brand: some(form["brand"]), Tag: some(form["tag"]),
		Min: form.Get("min"), Max: form.Get("max"), Sort: form.Get("sort"), Page: form.Get("page"),
	}
	q.Min, q.Max = inOrder(q.Min, q.Max)
	shown := shelf{Query: q, Store: store, First: q.Page == ""}
	request := &searchpb.SearchRequest{
		Q: q.Q, Store: store.GetStoreId(), Category: q.Category, Brand: q.Brand, Tag: q.Tag, MinPrice: pence(q.Min), MaxPrice: pence(q.Max),
		Sort: sorts[q.Sort], PageSize: pageSize, PageToken: q.Page,
	}
	if q.Aisle != "" {
		shown.Path = all.path(q.Aisle)
		if len(shown.Path) == 0 {
			return &web.Trouble{Status: http.StatusNotFound, Title: "There is no such aisle", Text: "It may have been moved."}
		}
		shown.Below = all.below(q.Aisle)
		if len(request.GetCategory()) == 0 {
			request.Category = []string{q.Aisle}
		}
	}
	if shown.Found, err = s.API.Search(r.Context(), request); err != nil {
		return err
	}
	shown.arrange(all)
	return s.Show(w, r, http.StatusOK, "search", "shelf", shown)
}

// arrange makes the answer ready to show.
func (s *shelf) arrange(all *aisles) {
	q := s.Query
	switch {
	case len(s.Path) > 0:
		s.Title = s.Path[len(s.Path)-1].Name
	case q.Q != "":
		s.Title = "“" + q.Q + "”"
	default:
		s.Title = "All products"
	}
	chosen := map[string][]string{"category": q.Category, "brand": q.Brand, "tag": q.Tag}
	titles := map[string]string{"category": "Aisle", "brand": "Brand", "tag": "Good to know"}
	seen := map[string]bool{}
	for _, f := range s.Found.GetFacets() {
		if f.GetField() == "category" && len(s.Below) == 0 && q.Aisle != "" {
			continue // nothing is below this aisle
		}
		out := facet{Field: f.GetField(), Title: titles[f.GetField()], Open: len(chosen[f.GetField()]) > 0 || f.GetField() != "brand"}
		for _, value := range f.GetValues() {
			if f.GetField() == "category" && q.Aisle != "" && !within(all, value.GetValue(), q.Aisle) {
				continue
			}
			label := value.GetLabel()
			if label == "" || f.GetField() == "tag" {
				label = tagName(value.GetValue())
			}
			one := choice{Value: value.GetValue(), Label: label, Count: value.GetCount(), Chosen: slices.Contains(chosen[f.GetField()], value.GetValue())}
			if one.Chosen {
				seen[f.GetField()+" "+one.Value] = true
				s.Chips = append(s.Chips, chip{label, q.without(f.GetField(), one.Value)})
			}
			out.Values = append(out.Values, one)
		}
		if len(out.Values) > 0 {
			s.Facets = append(s.Facets, out)
		}
	}
	for _, field := range []string{"category", "brand", "tag"} { // what nothing has, so that no facet tells of it, can be taken off too
		for _, value := range chosen[field] {
			if !seen[field+" "+value] {
				s.Chips = append(s.Chips, chip{tagName(value), q.without(field, value)})
			}
		}
	}
	if q.Min != "" || q.Max != "" {
		label := "£" + q.Min + " to £" + q.Max
		switch {
		case q.Max == "":
			label = "from £" + q.Min
		case q.Min == "":
			label = "up to £" + q.Max
		}
		s.Chips = append(s.Chips, chip{label, q.without("price", "")})
	}
	if token := s.Found.GetNextPageToken(); token != "" {
		next := q
		next.Page = token
		s.Next = next.address()
	}
	s.Clear = query{Q: q.Q, Aisle: q.Aisle, Sort: q.Sort}.address()
}

// within tells whether a category is below another one.
func within(all *aisles, id, top string) bool {
	return id != top && slices.ContainsFunc(all.path(id), func(a aisle) bool { return a.ID == top })
}

// address leads to the page that a query asks for.
func (q query) address() string {
	v := url.Values{}
	if q.Q != "" {
		v.Set("q", q.Q)
	}
	for name, values := range map[string][]string{"category": q.Category, "brand": q.Brand, "tag": q.Tag} {
		if len(values) > 0 {
			v[name] = values
		}
	}
	for name, value := range map[string]string{"min": q.Min, "max": q.Max, "sort": q.Sort, "page": q.Page} {
		if value != "" {
			v.Set(name, value)
		}
	}
	path := "/search"
	if q.Aisle != "" {
		path = "/aisles/" + q.Aisle
	}
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return path
}

// without is the address with one filter less, on its first page.
func (q query) without(field, value string) string {
	drop := func(from []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(v string) bool { return v == value })
	}
	q.Page = ""
	switch field {
	case "category":
		q.Category = drop(q.Category)
	case "brand":
		q.Brand = drop(q.Brand)
	case "tag":
		q.Tag = drop(q.Tag)
	default:
		q.Min, q.Max = "", ""
	}
	return q.address()
}

// some are the values that aren't empty, 20 at most: as many as the API takes.
func some(values []string) []string {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" || len(v) > 100 })
	return values[:min(len(values), 20)]
}

// typed is text that somebody looks for, at most so many bytes of it, without what isn't text at all.
func typed(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	text = strings.TrimSpace(text)
	return strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), most)], ""))
}

// pence reads pounds as people type them, "2", "2.5", "£2.50"; what can't be read is no bound, 0.
func pence(text string) int64 {
	amount, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(text), "£"), 64)
	if err != nil || !(amount >= 0 && amount <= 1e6) { // NaN is neither
		return 0
	}
	return int64(amount*100 + 0.5)
}

// inOrder are the bounds of a price range, the lower one first, whichever field they were typed into.
func inOrder(low, high string) (string, string) {
	if pence(high) > 0 && pence(low) > pence(high) {
		return high, low
	}
	return low, high
}

// suggest answers what was typed so far, for the script of the search box.
func (s *Storefront) suggest(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store(r)
	if err != nil {
		return err
	}
	found, err := s.API.Suggest(r.Context(), &searchpb.SuggestRequest{Store: store.GetStoreId(), Q: typed(r.FormValue("q"), 100), Limit: 8})
	if err != nil {
		return err
	}
	type suggestion struct {
		Text string `json:"text"`
		Kind string `json:"kind"`
		URL  string `json:"url"`
	}
	all := []suggestion{}
	for _, one := range found.GetSuggestions() {
		out := suggestion{Text: one.GetText()}
		switch one.GetKind() {
		case searchpb.Suggestion_CATEGORY:
			out.Kind, out.URL = "Aisle", "/aisles/"+one.GetCategoryId()
		case searchpb.Suggestion_PRODUCT:
			out.Kind, out.URL = "Product", "/products/"+one.GetProductId()
		default:
			out.Kind, out.URL = "Search", query{Q: one.GetText()}.address()
		}
		all = append(all, out)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(all)
}

// product shows one product, at its store's price. That price and whether there is any are search's to tell; the catalogue has the rest.
func (s *Storefront) product(w http.ResponseWriter, r *http.Request) error {
	store, err := s.store(r)
	if err != nil {
		return err
	}
	id := r.PathValue("product")
	product, err := s.API.GetProduct(r.Context(), &productpb.GetProductRequest{ProductId: id})
	if err != nil {
		return err
	}
	all, err := s.aisles.Get(r.Context())
	if err != nil {
		return err
	}
	var offered, alike *searchpb.SearchResponse
	asking, ctx := errgroup.WithContext(r.Context())
	asking.Go(func() (err error) {
		offered, err = s.API.Search(ctx, &searchpb.SearchRequest{Store: store.GetStoreId(), Product: []string{id}, PageSize: 1})
		return err
	})
	asking.Go(func() (err error) {
		alike, err = s.API.Search(ctx, &searchpb.SearchRequest{
			Store: store.GetStoreId(), Q: product.GetName(), Category: []string{product.GetCategoryId()}, PageSize: related + 1,
		})
		return err
	})
	if err := asking.Wait(); err != nil {
		return err
	}
	shown := struct {
		Product *productpb.Product
		Hit     *searchpb.Hit // nil: the store doesn't sell it
		Path    []aisle
		Related []*searchpb.Hit
		Store   *productpb.Store
	}{Product: product, Path: all.path(product.GetCategoryId()), Store: store}
	if hits := offered.GetHits(); len(hits) > 0 {
		shown.Hit = hits[0]
	}
	for _, hit := range alike.GetHits() {
		if hit.GetProductId() != id && len(shown.Related) < related {
			shown.Related = append(shown.Related, hit)
		}
	}
	if len(shown.Related) < related { // few have such a name: then others of the aisle
		more, err := s.API.Search(r.Context(), &searchpb.SearchRequest{Store: store.GetStoreId(), Category: []string{product.GetCategoryId()}, PageSize: 2*related + 1})
		if err != nil {
			return err
		}
		for _, hit := range more.GetHits() {
			known := hit.GetProductId() == id ||
				slices.ContainsFunc(shown.Related, func(h *searchpb.Hit) bool { return h.GetProductId() == hit.GetProductId() })
			if !known && len(shown.Related) < related {
				shown.Related = append(shown.Related, hit)
			}
		}
	}
	return s.Render(w, r, http.StatusOK, "product", shown)
}
