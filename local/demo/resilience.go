package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

func fillSlot(ctx context.Context, d *demo) (string, error) {
	day := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Hour)
	slots := make([]string, 2)
	for i, hour := range []int{10, 12} {
		slots[i] = fmt.Sprintf("%s-%d", d.word, hour)
		start := day.Add(time.Duration(hour) * time.Hour)
		_, err := d.must(ctx, 200, "PUT", "/v1/stores/"+store+"/slots/"+slots[i], d.operator, map[string]any{
			"start_time": start.Format(time.RFC3339), "end_time": start.Add(2 * time.Hour).Format(time.RFC3339), "capacity": 1,
		})
		if err != nil {
			return "", err
		}
	}
	var orders []answer
	for _, name := range []string{"early", "late"} {
		s, err := d.newShopper(ctx, name)
		if err != nil {
			return "", err
		}
		total, err := d.put(ctx, s, d.goods, 1)
		if err != nil {
			return "", err
		}
		body := basket(total)
		body["delivery_slot_id"] = slots[0]
		a, err := d.call(ctx, "POST", "/v1/checkouts", s.token, body, "Idempotency-Key", uuid.NewString())
		if err != nil {
			return "", err
		}
		orders = append(orders, a)
		if name == "late" {
			if err := a.refused(409, "SLOT_UNAVAILABLE"); err != nil {
				return "", err
			}
			body["delivery_slot_id"] = slots[1]
			second, err := d.order200(ctx, s, body, uuid.NewString())
			if err != nil {
				return "", err
			}
			orders = append(orders, second)
		}
	}
	offered := orders[1].detail("SlotUnavailable").list("alternatives")
	found := false
	for _, slot := range offered {
		found = found || at(slot, "slot_id") == slots[1]
	}
	if orders[0].text("order.delivery_slot.slot_id") != slots[0] || !found || orders[2].text("delivery_slot.slot_id") != slots[1] {
		return "", fmt.Errorf("%s; %s; %s", orders[0], orders[1], orders[2])
	}
	return fmt.Sprintf("409 SLOT_UNAVAILABLE: %s is full, %s is offered, and taken", slots[0], slots[1]), nil
}

func plannedPrice(ctx context.Context, d *demo) (string, error) {
	const name = "plums"
	s, err := d.newShopper(ctx, "planned")
	if err != nil {
		return "", err
	}
	product, err := d.newProduct(ctx, name, 300, map[string]int{store: 10})
	if err != nil {
		return "", err
	}
	total, err := d.put(ctx, s, product, 1)
	if err != nil {
		return "", err
	}
	begins := time.Now().Add(1500 * time.Millisecond)
	_, err = d.must(ctx, 200, "POST", "/v1/products/"+product+"/prices", d.merchandiser, map[string]any{
		"price": pence(345), "start_time": begins.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return "", err
	}
	if now, err := d.must(ctx, 200, "GET", "/v1/products/"+product, "", nil); err != nil || now.minor("price") != 300 {
		return "", fmt.Errorf("before its time: %s, %w", now, err)
	}
	_, err = eventually(ctx, 20*time.Second, func() error {
		found, err := d.search(ctx, d.word+" "+name)
		if err == nil && found.minor("hits.0.price") != 345 {
			err = errors.New(found.String())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	lag := time.Since(begins)
	if now, err := d.must(ctx, 200, "GET", "/v1/products/"+product, "", nil); err != nil || now.minor("price") != 345 {
		return "", fmt.Errorf("after its time: %s, %w", now, err)
	}
	old, err := d.call(ctx, "POST", "/v1/checkouts", s.token, basket(total), "Idempotency-Key", uuid.NewString())
	if err == nil {
		err = old.refused(409, "PRICE_CHANGED")
	}
	return fmt.Sprintf("345 for 300 pence; in search %d ms after its time; at the old total 409 PRICE_CHANGED", lag.Milliseconds()), err
}

func flushStock(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "flushed")
	if err != nil {
		return "", err
	}
	before, err := d.available(ctx, d.goods)
	if err != nil {
		return "", err
	}
	total, err := d.put(ctx, s, d.goods, 2)
	if err != nil {
		return "", err
	}
	client := redis.NewClient(&redis.Options{Addr: d.config.StockRedis})
	defer func() { _ = client.Close() }()
	if err := client.FlushAll(ctx).Err(); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := d.order200(ctx, s, basket(total), uuid.NewString()); err != nil {
		return "", err
	}
	took := time.Since(began)
	if _, err := d.becomesAvailable(ctx, d.goods, before-2); err != nil {
		return "", err
	}
	products, err := d.noDrift(ctx)
	return fmt.Sprintf("the next order %d ms after FLUSHALL; %d products of the store as in the ledger", took.Milliseconds(), products), err
}

// noDrift wants a store's virtual stock to be what the ledger and the open holds say.
func (d *demo) noDrift(ctx context.Context) (products int64, err error) {
	report, err := d.must(ctx, 200, "POST", "/v1/stores/"+store+"/stock:reconcile", d.operator, map[string]any{})
	if err == nil && (len(report.list("drifts")) > 0 || number(report.at("products")) <= 0) {
		err = errors.New(report.String())
	}
	return number(report.at("products")), err
}

// killCheckout kills the checkout service where it hurts: the payment is authorised, and the answer is on its way to it.
func killCheckout(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "unlucky")
	if err != nil {
		return "", err
	}
	before, err := d.available(ctx, d.goods)
	if err != nil {
		return "", err
	}
	total, err := d.put(ctx, s, d.goods, 1)
	if err != nil {
		return "", err
	}
	// Without its webhooks for a while: by them the platform would finish the checkout before the shopper asks again.
	if err := d.control(ctx, "/_control/webhooks", map[string]any{"delay": "15s"}); err != nil {
		return "", err
	}
	defer func() {
		_ = d.control(context.WithoutCancel(ctx), "/_control/webhooks", map[string]any{})
	}() // late ones harm nothing
	if err := d.fault(ctx, map[string]any{"kind": "timeout", "match": "/confirm"}); err != nil {
		return "", err
	}
	key, authorised := uuid.NewString(), time.Now().Unix()-1
	asked := make(chan struct{})
	asking, give := context.WithCancel(ctx)
	defer give()
	go func() {
		defer close(asked)
		_, _ = d.call(asking, "POST", "/v1/checkouts", s.token, basket(total), "Idempotency-Key", key) // whatever it is told
	}()
	order, err := d.newAuthorisation(ctx, authorised, number(at(total, "minor_units")))
	if err == nil {
		err = d.kill(ctx, "checkout")
	}
	if err != nil {
		return "", err
	}
	give() // the shopper's connection broke
	<-asked
	if there, err := d.call(ctx, "GET", "/v1/orders/"+order, s.token, nil); err != nil || there.status != 404 {
		return "", fmt.Errorf("the order is there before anybody asked again: %s, %w", there, err)
	}
	began := time.Now()
	done, err := d.order200(ctx, s, basket(total), key)
	if err != nil {
		return "", err
	}
	took := time.Since(began)
	if done.text("order_id") != order {
		return "", fmt.Errorf("the order is %s, the authorisation that of %s", done.text("order_id"), order)
	}
	intents, err := d.intents(ctx, order)
	if err != nil {
		return "", err
	}
	if len(intents) != 1 || at(intents[0], "status") != "requires_capture" {
		return "", fmt.Errorf("the provider's intents: %v", intents)
	}
	_, err = d.becomesAvailable(ctx, d.goods, before-1)
	return fmt.Sprintf("one order, one authorisation, one unit, %d ms after the shopper asked again", took.Milliseconds()), err
}

// newAuthorisation waits until the provider holds an amount for a new order, and returns the order's id.
func (d *demo) newAuthorisation(ctx context.Context, since, amount int64) (order string, err error) {
	_, err = eventually(ctx, 10*time.Second, func() error {
		list, err := d.provider(ctx, "/v1/payment_intents?limit=10&created[gte]="+strconv.FormatInt(since, 10))
		if err != nil {
			return err
		}
		for _, intent := range list.list("data") {
			if at(intent, "status") == "requires_capture" && number(at(intent, "amount")) == amount {
				order, _ = at(intent, "metadata.larder_order").(string)
				return nil
			}
		}
		return errors.New("the provider has no new authorisation")
	})
	return order, err
}

// kill ends a process of this platform with -9; its supervisor starts it again.
func (d *demo) kill(ctx context.Context, name string) error {
	root := filepath.Dir(filepath.Dir(d.config.State))
	out, err := exec.CommandContext(ctx, filepath.Join(root, "local", "bin", "survivors.sh"), "list", d.config.State, name).Output()
	if err != nil {
		return fmt.Errorf("find the process of %s: %w", name, err)
	}
	pids := strings.Fields(string(out))
	if len(pids) == 0 {
		return fmt.Errorf("there is no process of %s", name)
	}
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			return fmt.Errorf("kill %s of %s: %w", text, name, err)
		}
	}
	return nil
}

// audits asks the platform to compare itself: virtual stock with the ledger, books with the provider, index with the catalogue.
func audits(ctx context.Context, d *demo) (string, error) {
	products, err := d.noDrift(ctx)
	if err != nil {
		return "", err
	}
	payments, err := d.pages(ctx, "/v1/payments:audit", map[string]any{"settled_seconds": 2})
	if err != nil {
		return "", err
	}
	documents, err := d.pages(ctx, "/v1/products:audit", map[string]any{"page_size": 1000})
	return fmt.Sprintf("stock: %d products, no drift; payments: %d, nothing orphaned, missing or different; index: %d documents, nothing missing, stale or extra", products, payments, documents), err
}

// pages goes through all pages of an audit and wants no findings.
func (d *demo) pages(ctx context.Context, path string, body map[string]any) (checked int64, err error) {
	for {
		page, err := d.must(ctx, 200, "POST", path, d.operator, body)
		if err != nil {
			return checked, err
		}
		if len(page.list("findings")) > 0 {
			return checked, fmt.Errorf("%s: %s", path, page)
		}
		checked += number(page.at("checked"))
		if body["page_token"] = page.text("next_page_token"); body["page_token"] == "" {
			return checked, nil
		}
	}
}

// provider asks the payment provider's own API.
func (d *demo) provider(ctx context.Context, path string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.config.ProviderURL+path, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+d.config.ProviderKey)
	return d.send(request)
}
