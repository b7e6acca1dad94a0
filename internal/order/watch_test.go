package order_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// change is a server-sent event of a stream.
type change struct {
	id, name string
	data     struct {
		Version string
		Final   bool
		Event   struct{ State, Actor, Reason string }
	}
}

// watch opens a stream. Its changes come by the channel, which is closed at the stream's end; comments aren't told.
func (r *rig) watch(t *testing.T, token, id, seen string) (status int, changes <-chan change) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/orders/"+id+":watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "text/event-stream")
	if seen != "" {
		request.Header.Set("Last-Event-ID", seen)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	r.leaves = response.Body.Close
	came := make(chan change, 16)
	go func() {
		defer close(came)
		var c change
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				c.id = value
			case "event":
				c.name = value
			case "data":
				if err := json.Unmarshal([]byte(value), &c.data); err != nil {
					t.Errorf("data %s: %v", value, err)
				}
				came <- c
				c = change{}
			}
		}
	}()
	return response.StatusCode, came
}

// wantChange is the next change of a stream.
func wantChange(t *testing.T, changes <-chan change, version, state string, final bool) {
	t.Helper()
	c, open := <-changes
	if !open || c.id != version || c.name != "change" || c.data.Version != version || c.data.Event.State != state || c.data.Final != final {
		t.Fatalf("came %+v, want %s as version %s", c, state, version)
	}
}

// A stream has each change once, those from before too, goes on behind what was seen, and ends with the order.
func TestWatch(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	status, mine := r.watch(t, r.shopper, id, "")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	wantChange(t, mine, "1", "CONFIRMED", false)
	r.want(t, r.post(t, r.operator, id, "pick", `{"reason":"first shift"}`), "PICKING", 2)
	wantChange(t, mine, "2", "PICKING", false)
	_, again := r.watch(t, r.operator, id, "1") // somebody who lost the connection
	wantChange(t, again, "2", "PICKING", false)
	r.want(t, r.post(t, r.operator, id, "cancel", `{}`), "CANCELLED", 3)
	for _, stream := range []<-chan change{mine, again} {
		wantChange(t, stream, "3", "CANCELLED", true)
		if c, open := <-stream; open {
			t.Errorf("behind the end came %+v", c)
		}
	}
	_, late := r.watch(t, r.shopper, id, "3")
	if c, open := <-late; open {
		t.Errorf("of an order that has ended, all seen, came %+v", c)
	}
	status, body := get(t, r.url+"/v1/orders/"+id+":watch?after_version=2", r.shopper)
	if changes, _ := body["changes"].([]any); status != http.StatusOK || len(changes) != 1 {
		t.Errorf("asked without a stream: %d %v", status, body)
	}
}

// Nobody watches another's order, and only so many watch at once; whoever goes away makes room.
func TestWatchIsRefused(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	for _, c := range []struct {
		name, token, seen string
		want              int
	}{
		{"nobody", "", "", http.StatusUnauthorized},
		{"another", r.token(t, "7a1c3a52-5b0e-4bd4-9a49-2f6d7e8f0001", "shopper"), "", http.StatusNotFound},
		{"no version", r.shopper, "two", http.StatusBadRequest},
	} {
		if status, _ := r.watch(t, c.token, id, c.seen); status != c.want {
			t.Errorf("%s: %d, want %d", c.name, status, c.want)
		}
	}
	for range watchMax {
		if status, _ := r.watch(t, r.shopper, id, ""); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	leaves := r.leaves
	if status, _ := r.watch(t, r.shopper, id, ""); status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	if err := leaves(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if status, _ := r.watch(t, r.shopper, id, ""); status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("somebody has gone away, and nobody can come")
		}
	}
}

// While nothing changes, a comment now and then keeps the connection open.
func TestWatchHeartbeat(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/orders/"+id+":watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.shopper)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	beats := 0
	for lines := bufio.NewScanner(response.Body); beats < 3 && lines.Scan(); {
		if lines.Text() == ": " {
			beats++
		}
	}
	if beats < 3 {
		t.Errorf("the stream ended after %d heartbeats", beats)
	}
}
