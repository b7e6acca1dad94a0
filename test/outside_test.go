package test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// visit is a shop to try something in: an operator, a product with stock, and a shopper with a cart of one piece of it.
func visit(t *testing.T) *world {
	t.Helper()
	w := &world{
		edge: setting(t, "EDGE_ADDR"), provider: setting(t, "STRIPE_API_URL"), providerKey: setting(t, "STRIPE_API_KEY"),
		tokens: map[string]string{"": ""},
	}
	for _, name := range []string{"operator", "merchandiser"} {
		w.tokens[name] = w.signIn(t, name+"@larder.example", password).word("access_token")
	}
	w.stock(t)
	w.enter(t, "shopper")
	return w
}

// enter lets a shopper come in and fill a cart with a piece of what is sold. It returns the body of its checkout.
func (w *world) enter(t *testing.T, name string) (checkout string) {
	t.Helper()
	w.register(t, name, name)
	w.must(t, name, "POST", "/v1/carts", `{"store_id":"soho"}`)
	cart := w.must(t, name, "PUT", "/v1/carts/me/items/"+w.sold, `{"quantity":1}`)
	total, err := json.Marshal(cart.at("totals.total"))
	if err != nil {
		t.Fatal(err)
	}
	w.total = string(total)
	return w.checkout(delivery, "pm_card_visa", w.total)
}

// buy is an order of the shopper's.
func (w *world) buy(t *testing.T) (order string) {
	t.Helper()
	bought := w.must(t, "shopper", "POST", "/v1/checkouts", w.checkout(delivery, "pm_card_visa", w.total), "Idempotency-Key: {key}")
	if order = bought.word("order.order_id"); order == "" {
		t.Fatalf("no order: %s", bought)
	}
	return order
}

// outsideProgram builds a program of docs/examples and returns it with its folder.
func outsideProgram(t *testing.T, name string) (program, folder string) {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "docs", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program, folder
}

// A warehouse outside tells of deliveries, in Go and by curl, each twice: the stock rises by each once.
func TestOutsideProducer(t *testing.T) {
	setting(t, "PUBSUB_EMULATOR_HOST")
	w := visit(t)
	program, folder := outsideProgram(t, "warehouse")
	project := setting(t, "GOOGLE_CLOUD_PROJECT")
	ids := []string{"delivery-" + uuid.NewString(), "delivery-" + uuid.NewString()}
	commands := [][]string{
		{program, "-project", project, "-store", store, "-product", w.sold, "-quantity", "7", "-id", ids[0]},
		{filepath.Join(folder, "publish.sh"), project, store, w.sold, "30", ids[1]},
	}
	for _, command := range slices.Concat(commands, commands) {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil { //nolint:gosec // it is ours
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	stock := func() string {
		return fmt.Sprint(w.must(t, "operator", "GET", "/v1/stores/soho/stock/"+w.sold, "").at("available"))
	}
	eventually(t, 30*time.Second, "20 and 7 and 30 are available", func() bool { return stock() == "57" })
	// One more of another id comes behind all of them, so the second ones are through, too.
	last := slices.Clone(commands[0])
	last[len(last)-1] += "-last"
	if out, err := exec.CommandContext(t.Context(), last[0], last[1:]...).CombinedOutput(); err != nil { //nolint:gosec // it is ours
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, 30*time.Second, "7 more are available", func() bool { return stock() == "64" })
	entries := w.must(t, "operator", "GET", "/v1/stores/soho/stock/"+w.sold+"/entries", "")
	if n := len(entries.list("entries")); n != 4 {
		t.Errorf("the ledger has %d entries of the product, want the first stock and three deliveries: %s", n, entries)
	}

	if out, err := exec.CommandContext(t.Context(), program, "-project", project).CombinedOutput(); err == nil { //nolint:gosec // it is ours
		t.Errorf("without a delivery it ends well: %s", out)
	}
}

// A consumer outside sees what an order becomes, each state once, while it is picked and called off.
func TestOutsideConsumer(t *testing.T) {
	emulator := setting(t, "PUBSUB_EMULATOR_HOST")
	w := visit(t)
	program, _ := outsideProgram(t, "orders")
	project, subscription := setting(t, "GOOGLE_CLOUD_PROJECT"), "example-"+uuid.NewString()
	journal := filepath.Join(t.TempDir(), "orders.jsonl")
	follow := exec.CommandContext(t.Context(), program, "-project", project, "-subscription", subscription, "-journal", journal) //nolint:gosec // it is ours
	follow.Stderr = os.Stderr
	says, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = follow.Process.Kill() // it has ended where all went well
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodDelete,
			"http://"+emulator+"/v1/projects/"+project+"/subscriptions/"+subscription, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
	})
	lines := bufio.NewScanner(says)
	if !lines.Scan() || lines.Text() != "listening" {
		t.Fatalf("it says %q", lines.Text())
	}
	order := w.buy(t)
	w.must(t, "operator", "POST", "/v1/orders/"+order+":pick", `{}`)
	w.must(t, "operator", "POST", "/v1/orders/"+order+":cancel", `{}`)
	versions := map[string]string{}
	eventually(t, 30*time.Second, "all of its events were taken in", func() bool {
		text, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		clear(versions)
		for line := range strings.Lines(string(text)) {
			var entry struct {
				Order, State string
				Version      int64
			}
			// A line that is being written has no end yet.
			if err := json.Unmarshal([]byte(line), &entry); err == nil && entry.Order == order {
				versions[fmt.Sprint(entry.Version)] += entry.State
			}
		}
		return len(versions) == 3
	})
	if versions["1"] != "CONFIRMED" || versions["2"] != "PICKING" || versions["3"] != "CANCELLED" {
		t.Errorf("it took in %v", versions)
	}
	if err := follow.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(says)
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if !strings.Contains(string(rest), "order "+order+" is CANCELLED\n") {
		t.Errorf("it said\n%s", rest)
	}
}
