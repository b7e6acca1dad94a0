package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"larder.dev/api/client"
	searchpb "larder.dev/api/search/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/web"
)

type stockPage struct {
	Store, Q, Next string
	Status         *stockpb.StockStatus
	Stock          []stockRow
}

type stockRow struct {
	*stockpb.Stock
	Name string // where it was searched
}

// stockSearch is how many products a search shows: each is asked for.
const stockSearch = 20

func (c *Console) listStock(w http.ResponseWriter, r *http.Request) error {
	ctx, query := r.Context(), r.URL.Query()
	page := stockPage{Store: c.storeOf(r), Q: strings.TrimSpace(query.Get("q"))}
	status, err := c.API.GetStockStatus(ctx, &stockpb.GetStockStatusRequest{StoreId: page.Store})
	if err != nil {
		return err
	}
	page.Status = status
	if web.IsFragment(r) {
		return c.Fragment(w, r, http.StatusOK, "stock", "live", page)
	}
	if page.Q == "" {
		answer, err := c.API.ListStock(ctx, &stockpb.ListStockRequest{StoreId: page.Store, PageSize: 50, PageToken: query.Get("page_token")})
		if err != nil {
			return err
		}
		for _, stock := range answer.GetStock() {
			if !strings.Contains(stock.GetProductId(), ":") { // slots and shoppers' limits are counted like stock, and aren't any
				page.Stock = append(page.Stock, stockRow{Stock: stock})
			}
		}
		if answer.GetNextPageToken() != "" {
			page.Next = link("/stock", "store", page.Store, "page_token", answer.GetNextPageToken())
		}
		return c.Render(w, r, http.StatusOK, "stock", page)
	}
	found, err := c.API.Search(ctx, &searchpb.SearchRequest{Q: page.Q, Store: page.Store, PageSize: stockSearch})
	if err != nil {
		return err
	}
	page.Stock = make([]stockRow, len(found.GetHits()))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, hit := range found.GetHits() {
		group.Go(func() error {
			stock, err := c.API.GetStock(ctx, &stockpb.GetStockRequest{StoreId: page.Store, ProductId: hit.GetProductId()})
			page.Stock[i] = stockRow{stock, hit.GetName()}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.Render(w, r, http.StatusOK, "stock", page)
}

type productPage struct {
	Stock   *stockpb.Stock
	Entries []*stockpb.StockEntry
	Next    string
}

func (c *Console) showStock(w http.ResponseWriter, r *http.Request) error {
	store, product := r.PathValue("store"), r.PathValue("product")
	stock, err := c.API.GetStock(r.Context(), &stockpb.GetStockRequest{StoreId: store, ProductId: product})
	if err != nil {
		return err
	}
	entries, err := c.API.ListStockEntries(r.Context(), &stockpb.ListStockEntriesRequest{
		StoreId: store, ProductId: product, PageSize: 25, PageToken: r.URL.Query().Get("page_token"),
	})
	if err != nil {
		return err
	}
	page := productPage{Stock: stock, Entries: entries.GetEntries()}
	if entries.GetNextPageToken() != "" {
		page.Next = link("/stock/"+store+"/"+product, "page_token", entries.GetNextPageToken())
	}
	return c.Render(w, r, http.StatusOK, "product", page)
}

func (c *Console) adjustStock(w http.ResponseWriter, r *http.Request) error {
	store, product := r.PathValue("store"), r.PathValue("product")
	if err := r.ParseForm(); err != nil {
		return err
	}
	quantity, err := number(r.PostForm, "quantity", 0)
	reason := strings.TrimSpace(r.PostForm.Get("reason"))
	switch {
	case err != nil:
		return err
	case quantity == 0 || reason == "":
		return &web.Trouble{Status: http.StatusBadRequest, Title: "Something is missing", Text: "An adjustment needs a quantity that isn't 0, and a reason. Nothing was changed."}
	}
	back := link("/stock/" + store + "/" + product)
	yes, err := c.confirm(w, r, question{
		Title: "Adjust the stock?", Button: "Adjust by " + signed(int64(quantity)), Back: back,
		Says: []string{
			fmt.Sprintf("%s of %s in %s, because: %s.", signed(int64(quantity)), product, store, reason),
			"The ledger gets an entry with your name. What is taken away can't be more than what isn't promised to orders.",
		},
	})
	if err != nil || !yes {
		return err
	}
	_, err = c.API.AdjustStock(r.Context(), &stockpb.AdjustStockRequest{
		StoreId: store, Reason: reason, Adjustments: []*stockpb.Adjustment{{ProductId: product, Quantity: int64(quantity)}},
	}, client.WithIdempotencyKey(r.PostForm.Get("key")))
	if err != nil {
		return err
	}
	return goOn(w, r, back+"?done=adjusted")
}

// waitForRebuild is how long a rebuild's request waits for its end.
const waitForRebuild = 3 * time.Second

// rebuildStock names the epoch that the page showed: sent twice, it rebuilds once.
func (c *Console) rebuildStock(w http.ResponseWriter, r *http.Request) error {
	store := r.PathValue("store")
	back := link("/stock", "store", store)
	yes, err := c.confirm(w, r, question{
		Title: "Load the stock anew?", Button: "Rebuild " + store, Back: back,
		Says: []string{
			"The virtual stock of " + store + " is thrown away and loaded from the ledger under a new epoch. Nothing is lost: the ledger is the truth.",
			"Checkouts that are under way reserve their goods once more, and take a moment longer. It is needed only if the virtual stock is in doubt; what is lost or differs is rebuilt without you.",
		},
	})
	if err != nil || !yes {
		return err
	}
	request := &stockpb.RebuildStockRequest{StoreId: store}
	if nanos, err := strconv.ParseInt(r.PostForm.Get("epoch"), 10, 64); err == nil && nanos > 0 {
		request.SeenEpoch = timestamppb.New(time.Unix(0, nanos))
	}
	// A large store takes longer than people look at an empty page: the page of the stock shows how far it is. It goes on without the browser.
	ctx, done := context.WithoutCancel(r.Context()), make(chan error, 1)
	go func() {
		_, err := c.API.RebuildStock(ctx, request)
		if done <- err; err != nil {
			slog.WarnContext(ctx, "a rebuild failed", "store", store, "error", err)
		}
	}()
	select {
	case err := <-done:
		if err != nil {
			return err
		}
		return goOn(w, r, link("/stock", "store", store, "done", "rebuilt"))
	case <-time.After(waitForRebuild):
		return goOn(w, r, link("/stock", "store", store, "done", "rebuilding"))
	}
}
