package storefront

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"larder.dev/api/client"
	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/web"
)

const (
	historySize = 10
	// streamLasts is how long an order is followed at once, less than an access token holds; then the browser comes again.
	streamLasts = 10 * time.Minute
	streamWrite = 10 * time.Second // for a browser to take an event
)

func (s *Storefront) listOrders(w http.ResponseWriter, r *http.Request) error {
	list, err := s.API.ListOrders(r.Context(), &orderpb.ListOrdersRequest{PageSize: historySize, PageToken: r.FormValue("page")})
	if err != nil {
		return err
	}
	return s.Render(w, r, http.StatusOK, "orders", struct {
		Orders []*orderpb.Order
		Next   string
		First  bool
	}{list.GetOrders(), list.GetNextPageToken(), r.FormValue("page") == ""})
}

// followed is an order's page.
type followed struct {
	Order   *orderpb.Order
	Steps   []step
	Final   bool
	Thanks  bool
	Trouble *web.Trouble
}

// step is one of the states that an order passes on its way.
type step struct {
	State string
	Event *orderpb.OrderEvent // nil: not yet
	Now   bool
}

var way = []orderpb.Order_State{orderpb.Order_CONFIRMED, orderpb.Order_PICKING, orderpb.Order_PACKED, orderpb.Order_DISPATCHED, orderpb.Order_DELIVERED}

func (s *Storefront) showOrder(w http.ResponseWriter, r *http.Request) error {
	return s.orderPage(w, r, http.StatusOK, nil)
}

func (s *Storefront) orderPage(w http.ResponseWriter, r *http.Request, status int, trouble *web.Trouble) error {
	order, err := s.API.GetOrder(r.Context(), &orderpb.GetOrderRequest{OrderId: r.PathValue("order")})
	if err != nil {
		return err
	}
	shown := followed{Order: order, Steps: steps(order), Thanks: r.FormValue("thanks") != "", Trouble: trouble, Final: final(order.GetState())}
	return s.Show(w, r, status, "order", "order", shown)
}

func final(state orderpb.Order_State) bool {
	return state == orderpb.Order_DELIVERED || state == orderpb.Order_CANCELLED
}

// steps are those that an order has taken and, unless it was called off, those to come.
func steps(order *orderpb.Order) []step {
	var all []step
	reached := map[orderpb.Order_State]bool{}
	for _, event := range order.GetHistory() {
		reached[event.GetState()] = true
		all = append(all, step{State: stateName(event.GetState()), Event: event, Now: event.GetState() == order.GetState()})
	}
	if order.GetState() == orderpb.Order_CANCELLED {
		return all
	}
	for _, state := range way {
		if !reached[state] {
			all = append(all, step{State: stateName(state)})
		}
	}
	return all
}

// followOrder tells a browser of an order's changes as they come, as server-sent events: the browser's script then asks for the page's part
// anew. It is the API's stream, read in the shopper's name.
func (s *Storefront) followOrder(w http.ResponseWriter, r *http.Request) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return &web.Trouble{Status: http.StatusTooManyRequests, Title: "Many people are here at the moment", Text: "Please load the page again.", RetryAfter: 10 * time.Second}
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamLasts)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)() //nolint:contextcheck // a stream ends with the process, too: its browser comes again elsewhere
	after, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		after, _ = strconv.ParseInt(r.FormValue("after"), 10, 64) // 0: from the first
	}
	out := http.NewResponseController(w)
	begun := false
	for change, err := range s.Stream.FollowOrder(ctx, r.PathValue("order"), max(after, 0)) {
		if err != nil && !begun {
			return err
		}
		if err != nil {
			return nil // the browser comes again, with what it has
		}
		if !begun {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			begun = true
		}
		name := "change"
		if change.GetFinal() {
			name = "final"
		}
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite)) // tests have no connection
		if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", change.GetVersion(), name, stateName(change.GetEvent().GetState())); err != nil {
			return nil // the browser has gone
		}
		if err := out.Flush(); err != nil {
			return nil // as above
		}
	}
	return nil
}

func (s *Storefront) cancelOrder(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("order")
	_, err := s.API.CancelOrder(r.Context(), &orderpb.CancelOrderRequest{OrderId: id, Reason: "called off in the shop"})
	if client.ReasonOf(err) == "ORDER_STATE_CONFLICT" {
		return s.orderPage(w, r, http.StatusConflict, &web.Trouble{
			Title: "It is too late to cancel", Text: "Somebody is picking your order already. Please call the store if there is something wrong with it.",
		})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/orders/"+id, http.StatusSeeOther)
	return nil
}
