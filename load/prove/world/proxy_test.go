package world

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// upstream is a server that answers each byte with a letter of its own.
func upstream(t *testing.T, letter byte) (string, *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	heard := new(atomic.Int64)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					heard.Add(int64(n))
					if _, err := conn.Write([]byte{letter}); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String(), heard
}

func behind(t *testing.T, find func() (route, bool)) *proxy {
	t.Helper()
	p, err := newProxy(t.Context(), "test", "127.0.0.1:0", find, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func ask(t *testing.T, conn net.Conn) byte {
	t.Helper()
	answer := make([]byte, 1)
	if _, err := conn.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	return answer[0]
}

func TestViewTurnsToAnotherServer(t *testing.T) {
	a, _ := upstream(t, 'a')
	b, _ := upstream(t, 'b')
	var to atomic.Value
	to.Store(a)
	p := behind(t, func() (route, bool) { return route{address: to.Load().(string)}, true })
	first := dial(t, p.address())
	if got := ask(t, first); got != 'a' {
		t.Fatalf("%c answers", got)
	}
	to.Store(b)
	if n := p.cut(func(p *pair) bool { return p.route.address != b }); n != 1 {
		t.Errorf("%d connections cut", n)
	}
	if _, err := first.Read(make([]byte, 1)); err == nil {
		t.Error("the old connection still answers")
	}
	if got := ask(t, dial(t, p.address())); got != 'b' {
		t.Errorf("%c answers", got)
	}
}

func TestNowhereToGo(t *testing.T) {
	p := behind(t, func() (route, bool) { return route{}, false })
	conn, err := net.Dial("tcp", p.address())
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v, want a broken connection", err)
	}
}

// What is sent to a process that is deaf, the end of a connection included, reaches it later.
func TestDeafServerHearsLater(t *testing.T) {
	a, heard := upstream(t, 'a')
	var deaf gate
	p := behind(t, func() (route, bool) { return route{address: a, toServer: &deaf}, true })
	conn := dial(t, p.address())
	ask(t, conn)
	deaf.close()
	if _, err := conn.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	p.mu.Lock()
	pairs := len(p.pairs)
	p.mu.Unlock()
	if pairs != 1 || heard.Load() != 1 {
		t.Fatalf("%d connections, %d bytes heard; want that the server knows of nothing", pairs, heard.Load())
	}
	deaf.open()
	eventually(t, "the rest", func() bool { return heard.Load() == 5 })
	eventually(t, "the end", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.pairs) == 0
	})
}

// Only a replica's connection is held up by the gate of replication.
func TestReplicationIsHeldUp(t *testing.T) {
	a, _ := upstream(t, 'a')
	var lag gate
	p := behind(t, func() (route, bool) { return route{address: a, replication: &lag}, true })
	lag.close()
	if got := ask(t, dial(t, p.address())); got != 'a' {
		t.Errorf("%c answers", got)
	}
	replica := dial(t, p.address())
	if _, err := replica.Write([]byte("PSYNC ? -1\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = replica.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := replica.Read(make([]byte, 1)); err == nil {
		t.Error("the replica hears its master")
	}
	_ = replica.SetReadDeadline(time.Now().Add(limit))
	lag.open()
	if _, err := replica.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// What is late comes later, in its order, and the end of a connection behind it.
func TestProxyLag(t *testing.T) {
	address, heard := upstream(t, 'a')
	p := behind(t, func() (route, bool) { return route{address: address}, true })
	conn := dial(t, p.address())
	ask(t, conn) // nothing is late yet
	const lag = 50 * time.Millisecond
	p.lag.Store(int64(lag))
	began := time.Now()
	ask(t, conn)
	if took := time.Since(began); took < 2*lag {
		t.Errorf("there and back in %s, with %s each way", took, lag)
	}
	p.lag.Store(0)
	ask(t, conn)
	p.lag.Store(int64(lag))
	if _, err := conn.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(limit); heard.Load() != 4; {
		if time.Now().After(end) {
			t.Fatalf("%d bytes have arrived, want 4", heard.Load())
		}
		runtime.Gosched()
	}
}
