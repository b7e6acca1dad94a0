package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"larder.dev/api/client"
	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/web"
)

// states are the lists of a store's orders, in the order of an order's life.
var states = []orderpb.Order_State{
	orderpb.Order_CONFIRMED, orderpb.Order_PICKING, orderpb.Order_PACKED, orderpb.Order_DISPATCHED, orderpb.Order_DELIVERED, orderpb.Order_CANCELLED,
}

type ordersPage struct {
	Store, Next string
	State       orderpb.Order_State
	States      []orderpb.Order_State
	Orders      []*orderpb.Order
}

func (c *Console) listOrders(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if id := strings.TrimSpace(query.Get("id")); id != "" {
		return goOn(w, r, base+"/orders/"+url.PathEscape(id))
	}
	page := ordersPage{Store: c.storeOf(r), State: orderpb.Order_CONFIRMED, States: states}
	if state, ok := orderpb.Order_State_value[query.Get("state")]; ok && state != 0 {
		page.State = orderpb.Order_State(state)
	}
	answer, err := c.API.ListStoreOrders(r.Context(), &orderpb.ListStoreOrdersRequest{
		StoreId: page.Store, State: page.State, PageSize: 25, PageToken: query.Get("page_token"),
	})
	if err != nil {
		return err
	}
	page.Orders = answer.GetOrders()
	if answer.GetNextPageToken() != "" {
		page.Next = link("/orders", "store", page.Store, "state", page.State.String(), "page_token", answer.GetNextPageToken())
	}
	return c.Show(w, r, http.StatusOK, "orders", "live", page)
}

type orderPage struct {
	Order *orderpb.Order
	// Payment and History are nil if they can't be read.
	Payment *paymentpb.Payment
	History *orderpb.OrderHistory
}

// Can tells whether a step is next, so that its form is shown; the API decides.
func (p orderPage) Can(verb string) bool {
	state := p.Order.GetState()
	switch verb {
	case "pick":
		return state == orderpb.Order_CONFIRMED
	case "pack":
		return state == orderpb.Order_PICKING
	case "dispatch":
		return state == orderpb.Order_PACKED
	case "deliver":
		return state == orderpb.Order_DISPATCHED
	case "cancel":
		return state == orderpb.Order_CONFIRMED || state == orderpb.Order_PICKING || state == orderpb.Order_PACKED
	case "refund":
		money := p.Order.GetPayment()
		return p.Order.GetReceipt() != nil && money.GetCaptured().GetMinorUnits() > money.GetRefunded().GetMinorUnits() && state != orderpb.Order_CANCELLED
	default:
		return false
	}
}

func (c *Console) showOrder(w http.ResponseWriter, r *http.Request) error {
	order, err := c.API.GetOrder(r.Context(), &orderpb.GetOrderRequest{OrderId: r.PathValue("order")})
	if err != nil {
		return err
	}
	page := orderPage{Order: order}
	ctx, id := r.Context(), order.GetOrderId()
	var parts errgroup.Group
	part(ctx, &parts, &page.Payment, func() (*paymentpb.Payment, error) {
		return c.API.GetPayment(ctx, &paymentpb.GetPaymentRequest{OrderId: id})
	})
	part(ctx, &parts, &page.History, func() (*orderpb.OrderHistory, error) {
		return c.API.GetOrderHistory(ctx, &orderpb.GetOrderHistoryRequest{OrderId: id})
	})
	_ = parts.Wait() // parts don't fail
	return c.Render(w, r, http.StatusOK, "order", page)
}

// step is what a verb does to an order.
type step struct {
	title, says, button, done string
	call                      func(api *client.Client, ctx context.Context, id, etag, reason string) (*orderpb.Order, error)
}

var verbs = map[string]step{
	"pick": {"Begin picking?", "The order goes to PICKING. From then on its shopper can't cancel it any more.", "Begin picking", "picked",
		func(api *client.Client, ctx context.Context, id, etag, reason string) (*orderpb.Order, error) {
			return api.PickOrder(ctx, &orderpb.PickOrderRequest{OrderId: id, Etag: etag, Reason: reason})
		}},
	"dispatch": {"Send it off?", "The order goes to DISPATCHED: the van has left, and it can't be cancelled any more. The shopper gets a mail.", "Dispatch", "dispatched",
		func(api *client.Client, ctx context.Context, id, etag, reason string) (*orderpb.Order, error) {
			return api.DispatchOrder(ctx, &orderpb.DispatchOrderRequest{OrderId: id, Etag: etag, Reason: reason})
		}},
	"deliver": {"Delivered?", "The order ends as DELIVERED. The shopper gets a mail.", "It is delivered", "delivered",
		func(api *client.Client, ctx context.Context, id, etag, reason string) (*orderpb.Order, error) {
			return api.DeliverOrder(ctx, &orderpb.DeliverOrderRequest{OrderId: id, Etag: etag, Reason: reason})
		}},
	"cancel": {"Cancel this order?", "The order ends as CANCELLED. Its goods go back on sale, its payment is voided, or refunded if it was captured, and the shopper gets a mail. There is no way back.",
		"Cancel the order", "cancelled",
		func(api *client.Client, ctx context.Context, id, etag, reason string) (*orderpb.Order, error) {
			return api.CancelOrder(ctx, &orderpb.CancelOrderRequest{OrderId: id, Etag: etag, Reason: reason})
		}},
}

// moveOrder takes a step that needs no more than a reason. The etag that was seen goes with it: an order that has moved on meanwhile stays.
func (c *Console) moveOrder(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("order")
	step, ok := verbs[r.PathValue("verb")]
	if !ok {
		return web.NoSuchPage()
	}
	back := base + "/orders/" + url.PathEscape(id)
	yes, err := c.confirm(w, r, question{Title: step.title, Says: []string{"Order " + id + ".", step.says}, Button: step.button, Back: back})
	if err != nil || !yes {
		return err
	}
	if _, err := step.call(c.API, r.Context(), id, r.PostForm.Get("etag"), r.PostForm.Get("reason")); err != nil {
		return err
	}
	return goOn(w, r, back+"?done="+step.done)
}

// packOrder packs what the form says of each line. Packed again with the same, the API answers the order as it is.
func (c *Console) packOrder(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("order")
	order, err := c.API.GetOrder(r.Context(), &orderpb.GetOrderRequest{OrderId: id})
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	lines, says, err := picked(r.PostForm, order)
	if err != nil {
		return err
	}
	back := base + "/orders/" + url.PathEscape(id)
	says = append(says, "The order goes to PACKED. What wasn't picked is on sale again, the receipt's total is captured, and the shopper gets a mail where it differs from the order.")
	yes, err := c.confirm(w, r, question{Title: "Pack this order?", Says: says, Button: "Pack the order", Back: back})
	if err != nil || !yes {
		return err
	}
	_, err = c.API.PackOrder(r.Context(), &orderpb.PackOrderRequest{
		OrderId: id, Etag: r.PostForm.Get("etag"), Reason: r.PostForm.Get("reason"), Lines: lines,
	})
	if err != nil {
		return err
	}
	return goOn(w, r, back+"?done=packed")
}

// picked reads a packing: of each line "quantity:<product>", "grams:<product>", "instead:<product>" and "instead-quantity:<product>". says
// tells in words what differs from the order.
func picked(form url.Values, order *orderpb.Order) (lines []*orderpb.PickedLine, says []string, err error) {
	for _, ordered := range order.GetLines() {
		id := ordered.GetProductId()
		line := &orderpb.PickedLine{ProductId: id}
		if line.Quantity, err = number(form, "quantity:"+id, ordered.GetQuantity()); err != nil {
			return nil, nil, err
		}
		if line.Grams, err = number(form, "grams:"+id, 0); err != nil {
			return nil, nil, err
		}
		says = append(says, tellPicked(ordered, line))
		if other := strings.TrimSpace(form.Get("instead:" + id)); other != "" {
			count, err := number(form, "instead-quantity:"+id, ordered.GetQuantity()-line.GetQuantity())
			if err != nil {
				return nil, nil, err
			}
			line.Substitutes = []*orderpb.Substitute{{ProductId: other, Quantity: count}}
			says = append(says, fmt.Sprintf("In its place: %d × %s.", count, other))
		}
		if line.GetQuantity() != ordered.GetQuantity() || line.GetGrams() > 0 || len(line.GetSubstitutes()) > 0 {
			lines = append(lines, line)
		}
	}
	return lines, says, nil
}

func tellPicked(ordered *orderpb.OrderLine, line *orderpb.PickedLine) string {
	text := fmt.Sprintf("%s: %d of %d", ordered.GetName(), line.GetQuantity(), ordered.GetQuantity())
	if line.GetGrams() > 0 {
		text += ", " + kilos(line.GetGrams())
	}
	return text + "."
}

// number is a field that may be left out.
func number(form url.Values, name string, otherwise int32) (int32, error) {
	text := strings.TrimSpace(form.Get(name))
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, &web.Trouble{Status: http.StatusBadRequest, Title: "That isn't a number", Text: "“" + text + "” was given where a whole number is wanted. Nothing was changed."}
	}
	return int32(n), nil
}

// refundOrder gives money back: of the lines that the form names, by the key that the question has made.
func (c *Console) refundOrder(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("order")
	order, err := c.API.GetOrder(r.Context(), &orderpb.GetOrderRequest{OrderId: id})
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	request := &orderpb.RefundOrderRequest{OrderId: id, Reason: r.PostForm.Get("reason")}
	back := base + "/orders/" + url.PathEscape(id)
	var says []string
	for _, line := range order.GetReceipt().GetLines() {
		n, err := number(r.PostForm, "refund:"+line.GetProductId(), 0)
		if err != nil {
			return err
		}
		if n > 0 {
			request.Lines = append(request.Lines, &orderpb.RefundLine{ProductId: line.GetProductId(), Quantity: n})
			says = append(says, fmt.Sprintf("%d × %s.", n, line.GetName()))
		}
	}
	switch {
	case r.PostForm.Get("all") != "":
		request.Lines = nil
		says = []string{"Everything that isn't refunded yet, the delivery fee included."}
	case len(request.GetLines()) == 0:
		return &web.Trouble{Status: http.StatusBadRequest, Title: "Nothing is chosen", Text: "Say how many of which line are to be refunded. Nothing was changed."}
	}
	says = append(says, "The money goes back to the shopper's card, and the shopper gets a mail. It can't be taken again.")
	yes, err := c.confirm(w, r, question{Title: "Give money back?", Says: says, Button: "Refund", Back: back})
	if err != nil || !yes {
		return err
	}
	if _, err := c.API.RefundOrder(r.Context(), request, client.WithIdempotencyKey(r.PostForm.Get("key"))); err != nil {
		return err
	}
	return goOn(w, r, back+"?done=refunded")
}
