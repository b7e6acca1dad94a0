package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// demo is what the steps have come to.
type demo struct {
	config config
	http   *http.Client
	// word is in the name of every product of this run.
	word string

	operator, merchandiser, shopper string // access tokens

	account       map[string]string // the shopper's email and password
	refresh, used string            // the shopper's refresh token, and one that was used

	// Products of this run.
	inStock, outOfStock, highMargin, lowMargin string
	made                                       []string       // all of them
	expected                                   map[string]any // the cart's total
	request                                    map[string]any // the first order
	key, order                                 string

	// Of the steps after the first order: a product with stock, and an order whose payment was captured.
	goods, captured string
	client          *pubsub.Client // an outsider's connection, made when it is needed
}

const store = "soho"

var address = map[string]any{
	"recipient": "Ada Lovelace", "line1": "12 St James's Square", "city": "London", "postcode": "SW1Y 4LE", "country": "GB",
}

func newDemo(ctx context.Context, c config, word string) (*demo, error) {
	d := &demo{config: c, http: &http.Client{Timeout: 30 * time.Second}, word: word}
	for name, token := range map[string]*string{"operator": &d.operator, "merchandiser": &d.merchandiser} {
		session, err := d.must(ctx, 200, "POST", "/v1/sessions", "", map[string]any{"email": name + "@larder.example", "password": c.Password})
		if err != nil {
			return nil, fmt.Errorf("sign in as the seed's %s: %w", name, err)
		}
		*token = session.text("access_token")
	}
	return d, nil
}

func registerAndSignIn(ctx context.Context, d *demo) (string, error) {
	account := map[string]any{"email": d.word + "@shopper.example", "password": "correct-horse-" + d.word, "display_name": "Ada"}
	user, err := d.must(ctx, 200, "POST", "/v1/users", "", account)
	if err != nil {
		return "", err
	}
	delete(account, "display_name")
	session, err := d.must(ctx, 200, "POST", "/v1/sessions", "", account)
	if err != nil {
		return "", err
	}
	d.shopper, d.refresh = session.text("access_token"), session.text("refresh_token")
	d.account = map[string]string{"email": user.text("email"), "password": "correct-horse-" + d.word}

	// Each service answers something else to a token that it has verified than to none.
	for _, probe := range []struct {
		service, method, path string
		want                  int
	}{
		{"user", "GET", "/v1/users/me", 200},
		{"product", "DELETE", "/v1/products/" + d.word, 403},
		{"cart", "GET", "/v1/carts/me", 404},
		{"checkout", "GET", "/v1/checkouts/" + uuid.NewString(), 404},
		{"order", "GET", "/v1/orders", 200},
	} {
		if _, err := d.must(ctx, 401, probe.method, probe.path, "", nil); err != nil {
			return "", fmt.Errorf("%s without a token: %w", probe.service, err)
		}
		if _, err := d.must(ctx, probe.want, probe.method, probe.path, d.shopper, nil); err != nil {
			return "", fmt.Errorf("%s with the token: %w", probe.service, err)
		}
	}
	return fmt.Sprintf("user %s; user, product, cart, checkout and order verify the token", user.text("user_id")), nil
}

// searchBanannas waits where the platform has just been started for the first time: the seed is on its way into the index.
func searchBanannas(ctx context.Context, d *demo) (string, error) {
	var found answer
	_, err := eventually(ctx, time.Minute, func() (err error) {
		if found, err = d.must(ctx, 200, "GET", "/v1/search?q=banannas&store="+store, "", nil); err != nil {
			return err
		}
		if found.text("hits.0.product_id") != "bananas" || !strings.EqualFold(found.text("did_you_mean"), "bananas") || len(found.list("facets")) == 0 {
			return errors.New(found.String())
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q of %d, did you mean %q, %d facets", found.text("hits.0.name"), number(found.at("total_size")), found.text("did_you_mean"), len(found.list("facets"))), nil
}

func rankEqualProducts(ctx context.Context, d *demo) (string, error) {
	d.inStock, d.outOfStock, d.highMargin, d.lowMargin = d.word+"-a1", d.word+"-a2", d.word+"-b1", d.word+"-b2"
	for id, product := range map[string]struct {
		name        string
		price, cost int
	}{
		// Equal but for stock, the one without it having the better margin; equal but for margin.
		d.inStock: {"jam", 349, 300}, d.outOfStock: {"jam", 349, 100},
		d.highMargin: {"curd", 425, 150}, d.lowMargin: {"curd", 425, 400},
	} {
		_, err := d.must(ctx, 200, "POST", "/v1/products", d.merchandiser, map[string]any{
			"product_id": id, "name": d.word + " " + product.name, "category_id": "fruit", "status": "ACTIVE", "tax_rate_bps": 2000,
			"price": pence(product.price), "cost": pence(product.cost), "store_ids": []string{store},
		})
		if err != nil {
			return "", err
		}
		d.made = append(d.made, id)
	}
	_, err := d.must(ctx, 200, "POST", "/v1/stores/"+store+"/stock:adjust", d.operator, map[string]any{
		"reason": "demo delivery", "adjustments": []any{
			map[string]any{"product_id": d.inStock, "quantity": 10},
			map[string]any{"product_id": d.highMargin, "quantity": 10},
			map[string]any{"product_id": d.lowMargin, "quantity": 10},
		},
	}, "Idempotency-Key", uuid.NewString())
	if err != nil {
		return "", err
	}
	lag, err := eventually(ctx, 60*time.Second, func() error {
		for _, want := range []struct {
			query         string
			first, second string
			available     bool // of the second
		}{{"jam", d.inStock, d.outOfStock, false}, {"curd", d.highMargin, d.lowMargin, true}} {
			found, err := d.search(ctx, d.word+" "+want.query)
			if err != nil {
				return err
			}
			if found.text("hits.0.product_id") != want.first || found.text("hits.1.product_id") != want.second ||
				found.at("hits.0.available") != true || found.at("hits.1.available") != want.available {
				return fmt.Errorf("search %s: %s", want.query, found)
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s before %s; %s before %s; from delivery to searchable %d ms", d.inStock, d.outOfStock, d.highMargin, d.lowMargin, lag.Milliseconds()), nil
}

func fillCart(ctx context.Context, d *demo) (string, error) {
	if _, err := d.must(ctx, 200, "POST", "/v1/carts", d.shopper, map[string]any{"store_id": store}); err != nil {
		return "", err
	}
	cart, err := d.fill(ctx)
	if err != nil {
		return "", err
	}
	stores, err := d.must(ctx, 200, "GET", "/v1/stores", "", nil)
	if err != nil {
		return "", err
	}
	var fee int64
	for _, s := range stores.list("stores") {
		if at(s, "store_id") == store {
			fee = number(at(s, "delivery_fee.minor_units"))
		}
	}
	const lines = 2*349 + 425 + 3*425
	// Everything here, the fee too, is taxed at 20 %: a sixth of the price, to the nearest penny.
	total := lines + fee
	tax := (total*2000 + 6000) / 12000
	got := []int64{cart.minor("totals.lines"), cart.minor("totals.delivery_fee"), cart.minor("totals.total"), cart.minor("totals.tax")}
	if want := []int64{lines, fee, total, tax}; fmt.Sprint(got) != fmt.Sprint(want) {
		return "", fmt.Errorf("lines, fee, total, tax are %v, want %v: %s", got, want, cart)
	}
	return fmt.Sprintf("lines %d + fee %d = %d pence, tax in it %d", lines, fee, total, tax), nil
}

// fill puts three products into the cart and keeps its total.
func (d *demo) fill(ctx context.Context) (cart answer, err error) {
	for _, item := range []struct {
		product  string
		quantity int
	}{{d.inStock, 2}, {d.highMargin, 1}, {d.lowMargin, 3}} {
		cart, err = d.must(ctx, 200, "PUT", "/v1/carts/me/items/"+item.product, d.shopper, map[string]any{"quantity": item.quantity})
		if err != nil {
			return answer{}, err
		}
	}
	d.expected, _ = cart.at("totals.total").(map[string]any)
	return cart, nil
}

// checkout is the body of a checkout of the cart.
func (d *demo) checkout(card string) map[string]any {
	return map[string]any{"cart_id": "me", "store_id": store, "address": address, "payment_method": card, "expected_total": d.expected}
}

func checkOut(ctx context.Context, d *demo) (string, error) {
	before, err := d.stock(ctx)
	if err != nil {
		return "", err
	}
	d.request, d.key = d.checkout("pm_card_visa"), uuid.NewString()
	began := time.Now()
	done, err := d.must(ctx, 200, "POST", "/v1/checkouts", d.shopper, d.request, "Idempotency-Key", d.key)
	took := time.Since(began)
	if err != nil {
		return "", err
	}
	if done.text("state") != "CONFIRMED" || done.text("order.state") != "CONFIRMED" {
		return "", errors.New(done.String())
	}
	d.order = done.text("order.order_id")
	if err := d.sold(ctx, before); err != nil {
		return "", err
	}
	if err := d.oneAuthorisation(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("order %s in %d ms; stock down by 2, 1, 3; one authorisation of %v pence", d.order, took.Milliseconds(), d.expected["minor_units"]), nil
}

func checkOutAgain(ctx context.Context, d *demo) (string, error) {
	before, err := d.stock(ctx)
	if err != nil {
		return "", err
	}
	done, err := d.must(ctx, 200, "POST", "/v1/checkouts", d.shopper, d.request, "Idempotency-Key", d.key)
	if err != nil {
		return "", err
	}
	if done.text("order.order_id") != d.order || done.text("state") != "CONFIRMED" {
		return "", errors.New(done.String())
	}
	if err := d.sameStock(ctx, before); err != nil {
		return "", err
	}
	return "order " + d.order + " again; stock and authorisation unchanged", d.oneAuthorisation(ctx)
}

func reuseKey(ctx context.Context, d *demo) (string, error) {
	a, err := d.call(ctx, "POST", "/v1/checkouts", d.shopper, d.checkout("pm_card_mastercard"), "Idempotency-Key", d.key)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(a.status, " ", a.reason()), a.refused(422, "IDEMPOTENCY_KEY_REUSED")
}

// refusedCheckout wants a refusal after which there is no order, the stock is as before and nothing is authorised.
func (d *demo) refusedCheckout(ctx context.Context, card string, status int, reason string) (answer, error) {
	before, err := d.stock(ctx)
	if err != nil {
		return answer{}, err
	}
	refused, err := d.call(ctx, "POST", "/v1/checkouts", d.shopper, d.checkout(card), "Idempotency-Key", uuid.NewString())
	if err == nil {
		err = refused.refused(status, reason)
	}
	if err != nil {
		return answer{}, err
	}
	id := refused.detail("ErrorInfo").text("metadata.checkout_id")
	if a, err := d.call(ctx, "GET", "/v1/orders/"+id, d.shopper, nil); err != nil || a.status != 404 {
		return answer{}, fmt.Errorf("the order of a refused checkout: %s, %w", a, err)
	}
	intents, err := d.intents(ctx, id)
	if err != nil {
		return answer{}, err
	}
	for _, intent := range intents {
		if status := at(intent, "status"); status == "requires_capture" || status == "succeeded" || status == "processing" {
			return answer{}, fmt.Errorf("the provider has an intent that is %v", status)
		}
	}
	return refused, d.sameStock(ctx, before)
}

func declinedCard(ctx context.Context, d *demo) (string, error) {
	if _, err := d.fill(ctx); err != nil {
		return "", err
	}
	refused, err := d.refusedCheckout(ctx, "pm_card_chargeDeclinedInsufficientFunds", 402, "PAYMENT_DECLINED")
	if err != nil {
		return "", err
	}
	class := refused.detail("PaymentDeclined").text("class")
	if class != "INSUFFICIENT_FUNDS" {
		return "", fmt.Errorf("class %q, want INSUFFICIENT_FUNDS", class)
	}
	return "402 PAYMENT_DECLINED, class " + class + "; no order, stock unchanged, nothing authorised", nil
}

func moreThanStock(ctx context.Context, d *demo) (string, error) {
	cart, err := d.must(ctx, 200, "PUT", "/v1/carts/me/items/"+d.inStock, d.shopper, map[string]any{"quantity": 99})
	if err != nil {
		return "", err
	}
	d.expected, _ = cart.at("totals.total").(map[string]any)
	refused, err := d.refusedCheckout(ctx, "pm_card_visa", 409, "OUT_OF_STOCK")
	if err != nil {
		return "", err
	}
	short := refused.detail("OutOfStock")
	if len(short.list("shortages")) != 1 || short.text("shortages.0.product_id") != d.inStock || number(short.at("shortages.0.available")) != 8 {
		return "", errors.New(refused.String())
	}
	return fmt.Sprintf("409 OUT_OF_STOCK: of %s 99 are wanted, 8 are left; nothing taken", d.inStock), nil
}

func outdatedTotal(ctx context.Context, d *demo) (string, error) {
	if _, err := d.fill(ctx); err != nil {
		return "", err
	}
	today := number(d.expected["minor_units"])
	d.expected = map[string]any{"currency": "GBP", "minor_units": today - 50}
	refused, err := d.refusedCheckout(ctx, "pm_card_visa", 409, "PRICE_CHANGED")
	if err != nil {
		return "", err
	}
	changed := refused.detail("PriceChanged")
	if changed.minor("totals.total") != today || changed.minor("totals.lines")+changed.minor("totals.delivery_fee") != today {
		return "", errors.New(refused.String())
	}
	return fmt.Sprintf("409 PRICE_CHANGED: expected %d, today %d = lines %d + fee %d", today-50, today, changed.minor("totals.lines"), changed.minor("totals.delivery_fee")), nil
}

func changeByAPI(ctx context.Context, d *demo) (string, error) {
	name := d.word + " marmalade"
	_, err := d.must(ctx, 200, "PATCH", "/v1/products/"+d.inStock+"?update_mask=name,price", d.merchandiser, map[string]any{"name": name, "price": pence(377)})
	if err != nil {
		return "", err
	}
	lag, err := d.shows(ctx, d.inStock, name, 377)
	return fmt.Sprintf("%q at 377 pence; from commit to searchable %d ms", name, lag.Milliseconds()), err
}

func changeBySQL(ctx context.Context, d *demo) (string, error) {
	connection, err := pgx.Connect(ctx, d.config.DatabaseURL)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close(ctx) }()
	tag, err := connection.Exec(ctx, "update products.prices set minor_units = 399 where product_id = $1 and store_id is null and valid_from = (select max(valid_from) from products.prices where product_id = $1 and store_id is null and valid_from <= now())", d.inStock)
	if err != nil {
		return "", err
	}
	if tag.RowsAffected() != 1 {
		return "", fmt.Errorf("the update changed %d rows", tag.RowsAffected())
	}
	lag, err := d.shows(ctx, d.inStock, d.word+" marmalade", 399)
	return fmt.Sprintf("399 pence; from commit to searchable %d ms", lag.Milliseconds()), err
}

// shows waits until search has a product with this name and price.
func (d *demo) shows(ctx context.Context, product, name string, price int64) (time.Duration, error) {
	return eventually(ctx, 60*time.Second, func() error {
		found, err := d.search(ctx, name)
		if err != nil {
			return err
		}
		if found.text("hits.0.product_id") != product || found.text("hits.0.name") != name || found.minor("hits.0.price") != price {
			return errors.New(found.String())
		}
		return nil
	})
}

func orderHistory(ctx context.Context, d *demo) (string, error) {
	orders, err := d.must(ctx, 200, "GET", "/v1/orders", d.shopper, nil)
	if err != nil {
		return "", err
	}
	if len(orders.list("orders")) != 1 || orders.text("orders.0.order_id") != d.order {
		return "", errors.New(orders.String())
	}
	order, err := d.must(ctx, 200, "GET", "/v1/orders/"+d.order, d.shopper, nil)
	if err != nil {
		return "", err
	}
	var sum int64
	for _, line := range order.list("lines") {
		sum += number(at(line, "quantity")) * number(at(line, "unit_price.minor_units"))
	}
	if len(order.list("lines")) != 3 || sum != order.minor("totals.lines") || order.text("payment.state") != "AUTHORIZED" ||
		order.text("history.0.state") != "CONFIRMED" {
		return "", errors.New(order.String())
	}
	placed, err := time.Parse(time.RFC3339Nano, order.text("create_time"))
	if err != nil || time.Since(placed) > time.Hour {
		return "", fmt.Errorf("placed %s: %w", order.text("create_time"), err)
	}
	return fmt.Sprintf("one order of 3 lines, %d pence, placed %s, %s", order.minor("totals.total"), placed.Format(time.TimeOnly), order.text("payment.state")), nil
}

func (d *demo) search(ctx context.Context, query string) (answer, error) {
	return d.must(ctx, 200, "GET", "/v1/search?store="+store+"&q="+url.QueryEscape(query), "", nil)
}

// stock is what may be promised of the products of this run that have stock.
func (d *demo) stock(ctx context.Context) (map[string]int64, error) {
	stock := map[string]int64{}
	for _, product := range []string{d.inStock, d.highMargin, d.lowMargin} {
		a, err := d.must(ctx, 200, "GET", "/v1/stores/"+store+"/stock/"+product, d.operator, nil)
		if err != nil {
			return nil, err
		}
		stock[product] = number(a.at("available"))
	}
	return stock, nil
}

// sold wants the stock down by exactly the cart's quantities.
func (d *demo) sold(ctx context.Context, before map[string]int64) error {
	before[d.inStock] -= 2
	before[d.highMargin]--
	before[d.lowMargin] -= 3
	return d.sameStock(ctx, before)
}

func (d *demo) sameStock(ctx context.Context, want map[string]int64) error {
	got, err := d.stock(ctx)
	if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
		err = fmt.Errorf("stock is %v, want %v", got, want)
	}
	return err
}

// oneAuthorisation looks into the provider's own list.
func (d *demo) oneAuthorisation(ctx context.Context) error {
	intents, err := d.intents(ctx, d.order)
	if err != nil {
		return err
	}
	if len(intents) != 1 || at(intents[0], "status") != "requires_capture" || number(at(intents[0], "amount_capturable")) != number(at(d.request["expected_total"], "minor_units")) {
		return fmt.Errorf("the provider's intents of the order: %v", intents)
	}
	return nil
}

// intents are the provider's, of one order, out of the 100 newest.
func (d *demo) intents(ctx context.Context, order string) ([]any, error) {
	list, err := d.provider(ctx, "/v1/payment_intents?limit=100")
	if err != nil {
		return nil, err
	}
	var of []any
	for _, intent := range list.list("data") {
		if at(intent, "metadata.larder_order") == order {
			of = append(of, intent)
		}
	}
	return of, nil
}

func pence(n int) map[string]any { return map[string]any{"currency": "GBP", "minor_units": n} }
