// Command demo walks through a grocer's day like an outsider: by the public edge, the payment provider's own list, topics, mails and
// the commands of operators; and it does what only fate does: SQL in the catalogue's database, a flushed Redis, a killed process. Every run makes its own shopper and its own products, so that old data can't satisfy it.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/caarlos0/env/v11"
)

type config struct {
	Edge        string `env:"EDGE_ADDR,required"`
	DatabaseURL string `env:"DATABASE_URL,required"`
	ProviderURL string `env:"STRIPE_API_URL,required"`
	ProviderKey string `env:"STRIPE_API_KEY,required"`
	Project     string `env:"GOOGLE_CLOUD_PROJECT,required"`
	// PubSub is read by Pub/Sub's own client: an outsider's topics are the emulator's here.
	PubSub        string `env:"PUBSUB_EMULATOR_HOST,required"`
	StockRedis    string `env:"STOCK_REDIS_ADDR,required"`
	MailSink      string `env:"MAILSINK_ADDR,required"`
	WebhookSecret string `env:"WEBHOOK_SECRET,required"`
	// State is where the platform's logs are.
	State string `env:"LARDER_STATE,required"`
	// Password of the seed's operator and merchandiser.
	Password string `env:"SEED_PASSWORD" envDefault:"larder-demo-1"`
}

// step is one thing that is done and what is expected of it.
type step struct {
	name, expected string
	run            func(ctx context.Context, d *demo) (seen string, err error)
}

// steps are in the order in which they are done; later ones build on earlier ones.
var steps = []step{
	{"register, sign in", "a token that every service verifies", registerAndSignIn},
	{"verify the address by mail", "once, with the password; a stranger learns nothing", verifyByMail},
	{"reset the password by mail", "the new one signs in; old password, old sessions and the token again are refused", resetPassword},
	{"refresh the session", "a new pair; a lost answer is given again", refreshSession},
	{"a re-used refresh token", "refused, and its session is over", reuseRefreshToken},
	{"search `banannas`", "bananas first, did-you-mean, facets", searchBanannas},
	{"rank equal products", "in stock before out of stock; higher margin first", rankEqualProducts},
	{"fill a cart with three products", "totals that add up: lines, fee, tax", fillCart},
	{"check out with a good card", "CONFIRMED; stock down by exactly the quantities; one authorisation in the provider's own list", checkOut},
	{"the same request and key again", "the same order, nothing else changed", checkOutAgain},
	{"the same key, another body", "422 IDEMPOTENCY_KEY_REUSED", reuseKey},
	{"check out with a declined card", "PAYMENT_DECLINED with the class; no order, stock as before, nothing authorised", declinedCard},
	{"order more than the stock", "OUT_OF_STOCK with the line and what is left; nothing taken", moreThanStock},
	{"an outdated total", "PRICE_CHANGED with the new breakdown", outdatedTotal},
	{"change name and price by the API", "search shows both", changeByAPI},
	{"change a price with SQL in PostgreSQL", "search shows it", changeBySQL},
	{"order history", "the order with its lines, prices, times", orderHistory},
	{"fill a guest cart, sign in with another cart", "merged by the stated rule", mergeGuestCart},
	{"after an order", "its mail; its event for an outside subscriber, valid by its proto; the cart is empty", afterAnOrder},
	{"an operator picks and packs", "captured asynchronously; the provider's signed webhook came back; CAPTURED", pickAndPack},
	{"dispatch before CAPTURED, then after", "refused with the reason; DISPATCHED, then delivered", dispatch},
	{"webhooks with a bad signature, an old time, twice", "refused, refused, one effect", webhooks},
	{"a webhook that is lost", "what was given back at the provider is in our books once payments are audited", lostWebhook},
	{"buy the last unit", "search for that store shows it unavailable, for another store not", lastUnit},
	{"a warehouse message, the same one again", "stock up once; search shows it available", warehouse},
	{"a malformed message", "in the dead letters with its reason; shown, mended, replayed; applied once", malformed},
	{"cancel an order", "stock back, authorisation voided at the provider, mail sent", cancelOrder},
	{"a short pick", "charged for what was there; the rest is on sale again; a mail that says so", shortPick},
	{"a substitution", "another product at the price of the missing one, since the shopper takes it; both stocks right", substitution},
	{"weighed goods", "authorised with headroom; too heavy is refused; captured by weight, never above what was authorised", weighedGoods},
	{"a capture that fails", "CAPTURE_FAILED; no van leaves; the operator cancels, goods come back, nothing is charged", failedCapture},
	{"refund one line", "the provider's list shows that amount, once, also when repeated", refundLine},
	{"a shopper deletes their account", "orders stay without the person, one on its way when it has ended; the cart is gone", deleteAccount},
	{"fill a delivery slot", "the next order for it is refused, another slot is offered", fillSlot},
	{"a planned price comes into force", "product and search show it; an order at the old total is PRICE_CHANGED", plannedPrice},
	{"FLUSHALL on the stock's Redis", "sales go on by themselves after a rebuild; stock equals the ledger", flushStock},
	{"kill -9 of checkout between authorisation and commit", "asked again: one order, one authorisation", killCheckout},
	{"the audits: stock, payments, index", "no drift, no orphan, nothing missing, stale or extra", audits},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var c config
	if err := env.Parse(&c); err != nil {
		return fmt.Errorf("demo: %w (make demo sets the environment)", err)
	}
	d, err := newDemo(ctx, c, name())
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	began := time.Now()
	for i, s := range steps {
		started := time.Now()
		seen, err := s.run(ctx, d)
		took := time.Since(started).Milliseconds()
		if err != nil {
			fmt.Printf("%3d  FAILED  %s (%d ms)\n     expected: %s\n     seen:     %v\n     logs:     %s/log (make logs NAME=...)\n", i+1, s.name, took, s.expected, err, c.State)
			return errors.New("demo: failed")
		}
		fmt.Printf("%3d  ok  %6d ms  %s\n                    %s\n", i+1, took, s.name, seen)
	}
	if err := d.withdraw(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	fmt.Printf("demo: %d steps passed in %.1f s\n", len(steps), time.Since(began).Seconds())
	return nil
}

// name is a word that no catalogue has, so that searches of this run find its own products only.
func name() string {
	const vowels, consonants = "aeiou", "bdfgklmnprtvz"
	word := make([]byte, 0, 10)
	for range 5 {
		word = append(word, consonants[rand.IntN(len(consonants))], vowels[rand.IntN(len(vowels))])
	}
	return string(word)
}
