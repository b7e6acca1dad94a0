package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = time.Second
	chunk       = 32 << 10
)

// gate lets bytes pass, or holds them.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: open; else closed when the gate opens
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// pass waits while the gate is shut; false means that ended came first.
func (g *gate) pass(ended <-chan struct{}) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut == nil {
		return true
	}
	select {
	case <-shut:
		return true
	case <-ended:
		return false
	}
}

// route is where a new connection goes to, and the gates of its two directions; a nil gate is open.
type route struct {
	address            string
	toServer, toClient *gate
	// replication holds what a server sends to its replica.
	replication *gate
}

// proxy passes TCP connections on. It never sends anything twice: a connection lives and dies with the one behind it.
type proxy struct {
	name     string
	listener net.Listener
	find     func() (route, bool) // false: there is nowhere to go to
	log      *slog.Logger
	ended    chan struct{}
	work     sync.WaitGroup
	// lag is how long what passes is on its way, each way, in nanoseconds.
	lag atomic.Int64

	mu    sync.Mutex
	pairs map[*pair]bool
}

// pair is a connection and the one behind it.
type pair struct {
	client, server net.Conn
	route          route
	lag            *atomic.Int64
	replica        atomic.Bool // the client is a Redis replica
	idle           atomic.Bool // the server spoke last: for HTTP/1.1, nobody waits for an answer
	over           chan struct{}
	close          func()
}

// newProxy listens on an address of the loopback.
func newProxy(ctx context.Context, name, address string, find func() (route, bool), log *slog.Logger) (*proxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", name, err)
	}
	p := &proxy{name: name, listener: listener, find: find, log: log, ended: make(chan struct{}), pairs: map[*pair]bool{}}
	serving := context.WithoutCancel(ctx) // stop ends it
	p.work.Go(func() { p.accept(serving) })
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// stop closes the proxy with all of its connections.
func (p *proxy) stop() {
	close(p.ended)
	_ = p.listener.Close()
	p.cut(func(*pair) bool { return true })
	p.work.Wait()
}

// cut closes the connections that a condition picks, and returns how many.
func (p *proxy) cut(which func(*pair) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for pair := range p.pairs {
		if which(pair) {
			pair.close()
			n++
		}
	}
	return n
}

// count returns how many connections lead to each address.
func (p *proxy) count() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	has := map[string]int{}
	for pair := range p.pairs {
		has[pair.route.address]++
	}
	return has
}

func (p *proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.log.Warn("proxy doesn't accept", "proxy", p.name, "error", err)
			continue
		}
		p.work.Go(func() { p.serve(ctx, client) })
	}
}

// serve joins a client's connection with one to where it leads, until either ends.
func (p *proxy) serve(ctx context.Context, client net.Conn) {
	to, ok := p.find()
	if !ok {
		reset(client)
		return
	}
	dialling, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	server, err := new(net.Dialer).DialContext(dialling, "tcp", to.address)
	if err != nil {
		reset(client)
		return
	}
	joined := &pair{client: client, server: server, route: to, lag: &p.lag, over: make(chan struct{})}
	joined.close = sync.OnceFunc(func() {
		close(joined.over)
		_ = client.Close()
		_ = server.Close()
	})
	p.mu.Lock()
	p.pairs[joined] = true
	p.mu.Unlock()
	select {
	case <-p.ended: // stop may have looked before this pair was there
		joined.close()
	default:
	}
	var ways sync.WaitGroup
	ways.Go(func() { joined.pass(server, client, p.watch(joined)) })
	joined.pass(client, server, func() bool {
		return to.toClient.pass(joined.over) && (!joined.replica.Load() || to.replication.pass(joined.over))
	})
	// The server has ended it. What the client still sends goes nowhere.
	joined.close()
	ways.Wait()
	p.mu.Lock()
	delete(p.pairs, joined)
	p.mu.Unlock()
}

// watch is the way to the server. It is closed only behind a gate that is open: to a process that sleeps, its client is still there.
func (p *proxy) watch(joined *pair) func() bool {
	return func() bool { return joined.route.toServer.pass(joined.over) }
}

// pass copies what comes from one to the other, when the gate lets it. The end of one is the end of both.
func (j *pair) pass(to, from net.Conn, gate func() bool) {
	buffer := make([]byte, chunk)
	road := road{to: to, pair: j}
	for {
		n, err := from.Read(buffer)
		if from == j.client && j.route.replication != nil && bytes.Contains(buffer[:n], []byte("PSYNC")) {
			j.replica.Store(true)
		}
		if !gate() {
			break
		}
		j.idle.Store(from == j.server)
		if n > 0 {
			if err := road.send(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				reset(to)
			}
			break
		}
	}
	road.wait() // the end comes behind what was sent before it
	j.close()
}

// road is one way of a pair. From the first bytes on that were to be late, all take their turn behind them.
type road struct {
	to   net.Conn
	pair *pair
	late chan late // nil: nothing was late yet
	work sync.WaitGroup
}

// late is what arrives at a time.
type late struct {
	due   time.Time
	bytes []byte
}

// send passes bytes on, now or after the proxy's lag.
func (r *road) send(bytes []byte) error {
	lag := time.Duration(r.pair.lag.Load())
	if r.late == nil && lag == 0 {
		_, err := r.to.Write(bytes)
		return err
	}
	if r.late == nil {
		const onTheWay = 64
		r.late = make(chan late, onTheWay)
		r.work.Go(r.arrive)
	}
	select {
	case r.late <- late{time.Now().Add(lag), slices.Clone(bytes)}:
		return nil
	case <-r.pair.over:
		return net.ErrClosed
	}
}

// arrive writes what is late, each at its time.
func (r *road) arrive() {
	for l := range r.late {
		timer := time.NewTimer(time.Until(l.due))
		select {
		case <-timer.C:
		case <-r.pair.over:
			timer.Stop()
			return
		}
		if _, err := r.to.Write(l.bytes); err != nil {
			r.pair.close()
			return
		}
	}
}

// wait waits for what is still on its way.
func (r *road) wait() {
	if r.late != nil {
		close(r.late)
		r.work.Wait()
	}
}

// reset closes a connection so that the other end can't take it for an orderly end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
