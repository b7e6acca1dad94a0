package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// How many processes of a service there are.
const (
	checkouts = 3
	payments  = 2
	orders    = 2
	relays    = 2
)

// functions are those that run. Nobody reads mails here, and search isn't there.
var functions = []string{
	"CapturePayment", "VoidPayment", "ApplyStock", "ClearCart", "PaymentWebhook", "ApplyPaymentEvent", "AdjustStock", "UpdateAvailability",
	"ReapCheckouts", "ReconcilePayments", "ReconcileStock", "FoldLedger",
}

// schedule is often, so that what is left behind is found within a round.
const schedule = `[
  {"function": "ReapCheckouts", "every": "3s"},
  {"function": "ReconcilePayments", "every": "15s"},
  {"function": "ReconcileStock", "every": "15s"},
  {"function": "FoldLedger", "every": "10s"}
]
`

// What a round's processes are told.
const (
	// shortHold is Config.HoldFor where nothing else is said: whoever looks after the abandoned really works within a round.
	shortHold = 5 * time.Second
	// VoidRetry is the time between tries to cancel a payment at first, VoidRetryMax after minutes of a storm: within what settling may take.
	VoidRetry    = time.Second
	VoidRetryMax = 15 * time.Second
)

// Round is a platform with fresh books: no orders, no stock, no carts, a provider that knows nobody.
type Round struct {
	// Edge is the public API, http://127.0.0.1:port.
	Edge string
	// Provider is the payment provider's base URL, ProviderKey what its API takes.
	Provider, ProviderKey string
	// Spanner is projects/.../databases/...; SpannerHost is the emulator itself, PubSubHost the other one, Project the project of its topics.
	Spanner, SpannerHost, PubSubHost, Project string

	world     *World
	log       *slog.Logger
	number    int
	rng       *rand.Rand
	processes []*process
	proxies   []*proxy
	spanner   *spannerProxy
	postman   *postman
	redis     [2]*process
	links     [2]*link
	views     []*view
	ways      [2]*proxy // our programs' to Pub/Sub and to the provider
	services  map[string]*service
	functions map[string]*instance // by name in lower case
	watching  context.CancelFunc
	work      sync.WaitGroup
	master    atomic.Int32 // which of the stock's servers the Sentinels hold for the master
}

// instance is one of the processes that run a program.
type instance struct {
	*process
	chaos string // the folder by which it is broken
	// deaf holds what is sent to it: a process that sleeps doesn't hear its callers leave, and goes on as if they were there.
	deaf gate
	// asleep keeps new callers away.
	asleep atomic.Bool
}

// service is all of a program's instances, behind one address.
type service struct {
	instances []*instance
	proxy     *proxy
	mu        sync.Mutex
	rng       *rand.Rand
}

// pick finds, for a new connection, the living instance that has the fewest.
func (s *service) pick() (route, bool) {
	has := s.proxy.count()
	var best *instance
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.rng.Perm(len(s.instances)) {
		candidate := s.instances[i]
		if candidate.isUp() && !candidate.asleep.Load() && (best == nil || has[candidate.address] < has[best.address]) {
			best = candidate
		}
	}
	if best == nil {
		return route{}, false
	}
	return route{address: best.address, toServer: &best.deaf}, true
}

// link is the way to one of the stock's servers for Sentinels and its replica.
type link struct {
	*proxy
	cutOff      atomic.Bool // nobody gets through
	replication gate        // holds what its replica is to hear
}

// view is where one process finds the stock's Redis: the address stays when the master changes, as Memorystore's does.
type view struct {
	*proxy
	server atomic.Int32
	stays  atomic.Bool // it doesn't follow the Sentinels now
}

// turn leads the view to a server, and ends what led elsewhere.
func (v *view) turn(server int) {
	v.server.Store(int32(server))
	v.cut(func(p *pair) bool { return p.route.address != at(redisPort, server) })
}

// Round starts round n and waits until everything is ready. A world has one round at a time.
func (w *World) Round(ctx context.Context, n int) (_ *Round, err error) {
	r := &Round{
		Edge: "http://" + at(edgePort, 0), Provider: "http://" + at(paymentsPort, 0), ProviderKey: providerKey,
		Spanner: database, SpannerHost: at(spannerPort, 1), PubSubHost: at(pubsubPort, 0), Project: project,
		world: w, log: w.log.With("round", n), number: n, rng: rand.New(rand.NewPCG(w.config.Seed, uint64(n))),
		services: map[string]*service{}, functions: map[string]*instance{},
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	began := time.Now()
	if err := os.MkdirAll(w.roundDir(n), 0o755); err != nil {
		return nil, fmt.Errorf("make the round's folder: %w", err)
	}
	if err := r.startComponents(ctx); err != nil {
		return nil, err
	}
	components := time.Since(began)
	if err := r.startPrograms(ctx); err != nil {
		return nil, err
	}
	r.log.Info("round is up", "took", time.Since(began).Round(time.Millisecond), "components", components.Round(time.Millisecond),
		"processes", len(r.processes)+len(w.processes))
	return r, nil
}

// StockRedis is the address of the stock's Redis server that is the master now.
func (r *Round) StockRedis() string { return at(redisPort, int(r.master.Load())) }

// Close ends the round's processes at once: their data is gone with them.
func (r *Round) Close() error {
	if r.watching != nil {
		r.watching()
	}
	r.work.Wait()
	var err error
	if r.postman != nil {
		err = r.postman.end()
	}
	endAll(r.processes, true)
	for _, p := range r.proxies {
		p.stop()
	}
	if r.spanner != nil {
		r.spanner.stop()
	}
	return err
}

// start runs a program as long as the round lasts.
func (r *Round) start(p program) *process {
	running := r.world.sup.run(p)
	r.processes = append(r.processes, running)
	return running
}

// listen makes a proxy that lasts as long as the round.
func (r *Round) listen(ctx context.Context, name, address string, find func() (route, bool)) (*proxy, error) {
	p, err := newProxy(ctx, name, address, find, r.log)
	if err == nil {
		r.proxies = append(r.proxies, p)
	}
	return p, err
}

// startComponents starts what the programs need.
func (r *Round) startComponents(ctx context.Context) error {
	w := r.world
	emulator := r.start(w.spannerEmulator(r.number))
	pubsub := r.start(w.pubsubEmulator(r.number))
	carts := r.start(w.cartRedis(r.number))
	for n := range r.redis {
		l := &link{}
		var err error
		l.proxy, err = r.listen(ctx, fmt.Sprintf("link-%d", n), at(linkPort, n), func() (route, bool) {
			return route{address: at(redisPort, n), replication: &l.replication}, !l.cutOff.Load()
		})
		if err != nil {
			return err
		}
		r.links[n] = l
		r.redis[n] = r.start(w.stockRedis(r.number, n, func() string { return at(linkPort, int(r.master.Load())) }))
	}
	if err := ready(ctx, emulator, carts, r.redis[0], r.redis[1]); err != nil {
		return err
	}
	for n := range sentinels {
		program, err := w.sentinel(r.number, n)
		if err != nil {
			return err
		}
		r.start(program)
	}
	var err error
	if r.spanner, err = newSpannerProxy(ctx, at(spannerPort, 0), at(spannerPort, 1), r.fork(), r.log); err != nil {
		return err
	}
	if err := w.setUp(ctx, r.number, "migrate"); err != nil {
		return err
	}
	if err := ready(ctx, pubsub); err != nil {
		return err
	}
	if err := r.whole(ctx); err != nil {
		return fmt.Errorf("the stock's Redis servers didn't come together: %w", err)
	}
	watched, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.watching = stop
	rng := r.fork()
	r.work.Go(func() { r.watch(watched, rng) })
	return nil
}

// fork is a source of random numbers of its own.
func (r *Round) fork() *rand.Rand { return rand.New(rand.NewPCG(r.rng.Uint64(), r.rng.Uint64())) }

// startPrograms starts our programs, all at once.
func (r *Round) startPrograms(ctx context.Context) error {
	w := r.world
	for n, port := range []int{pubsubPort, paymentsPort} {
		var err error
		r.ways[n], err = r.listen(ctx, fmt.Sprintf("way-%d", port), at(port, 1), func() (route, bool) { return route{address: at(port, 0)}, true })
		if err != nil {
			return err
		}
	}
	spanner := variables{
		"SPANNER_DATABASE": database, "SPANNER_EMULATOR_HOST": at(spannerPort, 0), "PUBSUB_EMULATOR_HOST": at(pubsubPort, 1),
	}
	provider := variables{
		"STRIPE_API_URL": "http://" + at(paymentsPort, 1), "STRIPE_API_KEY": providerKey, "STRIPE_CALL_TIMEOUT": "2s", "STRIPE_DEADLINE": "6s",
		"WEBHOOK_SECRET": webhookSecret, "WEBHOOK_SECRETS": webhookSecret, "WEBHOOK_URL": r.Edge + "/v1/webhooks/payments/stripe",
	}
	var started []*process
	single := func(name, account string, port int, probe string, own ...variables) {
		started = append(started, r.start(r.program(name, account, number(port, 0), probe, own...)))
	}
	single("payments", "payments", paymentsPort, "/healthz", provider, variables{
		"PAYMENTS_JOURNAL": filepath.Join(w.roundDir(r.number), "provider.jsonl"), "PROVIDER_LATENCY_P50": "5ms", "PROVIDER_LATENCY_P99": "40ms",
		"PROCESSING_TIME": "2s", "SEED": fmt.Sprint(w.config.Seed + uint64(r.number)),
	})
	single("cart", "cart", cartsPort, "/readyz", variables{"CART_REDIS_ADDR": at(cartPort, 0)})

	views := 0
	for _, s := range []struct {
		name      string
		port, n   int
		stock     bool // uses the stock's Redis
		balancing bool // others call it
		own       variables
	}{
		{"checkout", checkoutPort, checkouts, true, true, variables{"HOLD_FOR": w.config.HoldFor.String(), "VOID_RETRY": VoidRetry.String(), "VOID_RETRY_MAX": VoidRetryMax.String()}},
		{"payment", paymentPort, payments, false, true, provider},
		{"order", orderPort, orders, false, true, nil},
		{"relay", relayPort, relays, true, false, variables{"RELAY_LEASE": "3s", "RELAY_MIN_PAUSE": "300ms"}},
	} {
		service := &service{rng: r.fork()}
		for i := range s.n {
			own := variables{}
			if s.stock {
				v, err := r.openView(ctx, views)
				if err != nil {
					return err
				}
				views++
				own["STOCK_REDIS_ADDR"] = v.address()
			}
			instance, err := r.instance(fmt.Sprintf("%s-%d", s.name, i), s.name, number(s.port, i+1), spanner, s.own, own)
			if err != nil {
				return err
			}
			service.instances = append(service.instances, instance)
			started = append(started, instance.process)
		}
		if s.balancing {
			if err := r.balance(ctx, service, s.name, at(s.port, 0)); err != nil {
				return err
			}
		}
		r.services[s.name] = service
	}

	addresses := variables{"LARDER_FUNCTIONS": strings.Join(functions, " ")}
	for i, name := range functions {
		lower := strings.ToLower(name)
		addresses[strings.ToUpper(name)+"_ADDR"] = at(functionPort+i, 0)
		instance, err := r.instance(lower, "functions", number(functionPort+i, 0), spanner, provider,
			variables{"FUNCTION_TARGET": name, "SERVICE_ACCOUNT": lower + "@" + accounts})
		if err != nil {
			return err
		}
		r.functions[lower] = instance
		started = append(started, instance.process)
	}
	file := filepath.Join(w.roundDir(r.number), "schedule.json")
	if err := os.WriteFile(file, []byte(schedule), 0o600); err != nil {
		return fmt.Errorf("write the schedule: %w", err)
	}
	single("invoker", "invoker", invokerPort, "/healthz", addresses, variables{"SCHEDULE_FILE": file})
	single("edge", "edge", edgePort, "/healthz", addresses, variables{"ROUTES_FILE": filepath.Join(w.config.Root, "terraform", "routes.json")})
	if err := ready(ctx, started...); err != nil {
		return err
	}
	all, err := w.topics()
	if err != nil {
		return err
	}
	r.postman, err = newPostman(ctx, r.PubSubHost, "http://"+at(invokerPort, 0)+"/push/", all.pushes(), r.log)
	return err
}

// program is one of our programs, as the round runs it.
func (r *Round) program(name, account string, port int, probe string, own ...variables) program {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	return program{
		name: name, address: address, command: func() []string { return []string{r.world.bin(name)} }, dir: r.world.config.Dir,
		env: r.world.environment(name, account, port, own...), log: r.world.roundLog(r.number, name),
		ready: answers("http://" + address + probe),
	}
}

// instance starts a program that can be broken from inside.
func (r *Round) instance(name, binary string, port int, own ...variables) (*instance, error) {
	chaos := filepath.Join(r.world.roundDir(r.number), "chaos", name)
	if err := os.MkdirAll(chaos, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder by which %s is broken: %w", name, err)
	}
	program := r.program(name, binary, port, "/readyz", append(slices.Clone(own), variables{
		"CHAOS_DIR": chaos, "CHAOS_WITHOUT": r.world.config.Without,
	})...)
	program.command = func() []string { return []string{r.world.bin(binary)} }
	return &instance{process: r.start(program), chaos: chaos}, nil
}

// balance puts a service behind one address.
func (r *Round) balance(ctx context.Context, s *service, name, address string) (err error) {
	known := make(chan struct{})
	s.proxy, err = r.listen(ctx, name, address, func() (route, bool) {
		<-known // a connection may come before the proxy is known here
		return s.pick()
	})
	close(known)
	return err
}

// openView makes a process's way to the stock's Redis.
func (r *Round) openView(ctx context.Context, n int) (*view, error) {
	v := &view{}
	v.server.Store(r.master.Load())
	var err error
	v.proxy, err = r.listen(ctx, fmt.Sprintf("view-%d", n), at(viewPort, n), func() (route, bool) {
		return route{address: at(redisPort, int(v.server.Load()))}, true
	})
	if err == nil {
		r.views = append(r.views, v)
	}
	return v, err
}

// masterPause is the time between two questions after the master.
const masterPause = 200 * time.Millisecond

// watch follows the Sentinels' master, and leads each process's view there after a while of its own.
func (r *Round) watch(ctx context.Context, rng *rand.Rand) {
	var clients []*redis.Client
	defer func() {
		for _, client := range clients {
			_ = client.Close()
		}
	}()
	for n := range sentinels {
		clients = append(clients, oneShot(at(sentinelPort, n)))
	}
	for i := 0; wait(ctx, masterPause); i++ {
		now, err := askMaster(ctx, clients[i%len(clients)])
		if err != nil {
			continue
		}
		if before := r.master.Swap(int32(now)); before != int32(now) {
			r.log.Info("the stock's Redis has another master", "from", before, "to", now)
		}
		for _, v := range r.views {
			if int(v.server.Load()) != now && !v.stays.Load() && rng.IntN(3) == 0 {
				v.turn(now)
			}
		}
	}
}

// askMaster asks a Sentinel which server is the master.
func askMaster(ctx context.Context, client *redis.Client) (int, error) {
	answer, err := client.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master).StringSlice()
	if err != nil {
		return 0, fmt.Errorf("ask a Sentinel: %w", err)
	}
	for n := range 2 {
		if len(answer) == 2 && answer[1] == portOf(at(linkPort, n)) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("ask a Sentinel: it answers %q", answer)
}

// whole waits until every Sentinel knows the others, and that a replica follows the master.
func (r *Round) whole(ctx context.Context) error {
	for n := range sentinels {
		if err := wholeFor(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// wholeFor waits until one Sentinel sees all of it.
func wholeFor(ctx context.Context, sentinel int) error {
	client := oneShot(at(sentinelPort, sentinel))
	defer func() { _ = client.Close() }()
	for {
		fault := wholeNow(ctx, client)
		if fault == nil {
			return nil
		}
		if !wait(ctx, masterPause) {
			return errors.Join(fault, context.Cause(ctx))
		}
	}
}

func wholeNow(ctx context.Context, client *redis.Client) error {
	state, err := client.Do(ctx, "SENTINEL", "MASTER", master).Result()
	if err != nil {
		return fmt.Errorf("ask a Sentinel: %w", err)
	}
	told, err := fields(state)
	if err != nil {
		return err
	}
	if told["num-slaves"] != "1" || told["num-other-sentinels"] != fmt.Sprint(sentinels-1) || told["flags"] != "master" {
		return fmt.Errorf("a Sentinel sees %s replicas, %s other Sentinels, and the master %s", told["num-slaves"], told["num-other-sentinels"],
			told["flags"])
	}
	replicas, err := client.Do(ctx, "SENTINEL", "REPLICAS", master).Slice()
	if err != nil {
		return fmt.Errorf("ask a Sentinel: %w", err)
	}
	for _, replica := range replicas {
		told, err := fields(replica)
		if err != nil {
			return err
		}
		if told["flags"] != "slave" || told["master-link-status"] != "ok" || told["role-reported"] != "slave" {
			return fmt.Errorf("the replica is %s, its link %s", told["flags"], told["master-link-status"])
		}
	}
	return nil
}

// fields reads what Redis answers as a map, by RESP2 or RESP3.
func fields(answer any) (map[string]string, error) {
	out := map[string]string{}
	switch answer := answer.(type) {
	case map[any]any:
		for name, value := range answer {
			out[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	case []any:
		for i := 0; i+1 < len(answer); i += 2 {
			out[fmt.Sprint(answer[i])] = fmt.Sprint(answer[i+1])
		}
	default:
		return nil, fmt.Errorf("%T is no map", answer)
	}
	return out, nil
}
