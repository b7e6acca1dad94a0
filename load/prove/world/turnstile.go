package world

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// idleTurn is how long a transaction may keep others waiting without a call. Then its client is taken for dead, or asleep.
	idleTurn  = 300 * time.Millisecond
	turnPause = 50 * time.Millisecond
)

// turnstile lets one read-write transaction in at a time, as the emulator does. The emulator aborts all others, so that under load most
// commits are made anew, again and again; here they wait, as Spanner's locks would have them do. Transactions are named by their session,
// which has one at a time.
type turnstile struct {
	mu     sync.Mutex
	holder string
	last   time.Time       // the holder's last call
	queue  []chan struct{} // the first is told when it is its turn to look
}

// enter waits for a session's turn, in the order of coming.
func (t *turnstile) enter(ctx context.Context, session string) error {
	t.mu.Lock()
	turn := make(chan struct{}, 1)
	t.queue = append(t.queue, turn)
	for {
		free := t.holder == "" || time.Since(t.last) > idleTurn
		if t.holder == session || free && t.queue[0] == turn {
			t.holder, t.last = session, time.Now()
			t.forget(turn)
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		late := time.NewTimer(turnPause)
		select {
		case <-turn:
		case <-late.C:
		case <-ctx.Done():
		}
		late.Stop()
		t.mu.Lock()
		if ctx.Err() != nil {
			t.forget(turn)
			t.next()
			t.mu.Unlock()
			return ctx.Err()
		}
	}
}

// touch tells that a session does something, and goes on.
func (t *turnstile) touch(session string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holder == session {
		t.last = time.Now()
	}
}

// leave ends a session's turn, if it has one.
func (t *turnstile) leave(session string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holder == session {
		t.holder = ""
		t.next()
	}
}

// next wakes the first who waits. mu is held.
func (t *turnstile) next() {
	if t.holder == "" && len(t.queue) > 0 {
		select {
		case t.queue[0] <- struct{}{}:
		default: // it is awake
		}
	}
}

// forget takes one who doesn't wait any more out of the queue. mu is held.
func (t *turnstile) forget(turn chan struct{}) {
	for i, waiting := range t.queue {
		if waiting == turn {
			t.queue = append(t.queue[:i:i], t.queue[i+1:]...)
			return
		}
	}
}

// Fields of google.spanner.v1 that tell what a call does to its session's transaction.
const (
	sessionField     = 1 // of all requests
	transactionField = 2 // of reads and statements: a selector; of BeginTransaction: options; of Commit: an id
	singleUseField   = 3 // of Commit
	beginField       = 3 // of a selector: options
	readWriteField   = 1 // of options
)

// intent is what a call means for the turnstile.
type intent struct {
	session string
	begins  bool // a read-write transaction
	ends    bool // with this call, however it is answered
}

// intentOf reads a request. What can't be read means nothing.
func intentOf(method string, request []byte) intent {
	out := intent{session: string(field(request, sessionField))}
	switch method {
	case spannerPrefix + "BeginTransaction":
		out.begins = has(field(request, transactionField), readWriteField)
	case spannerPrefix + "StreamingRead", spannerPrefix + "Read", spannerPrefix + "ExecuteStreamingSql", spannerPrefix + "ExecuteSql",
		spannerPrefix + "ExecuteBatchDml":
		out.begins = has(field(field(request, transactionField), beginField), readWriteField)
	case commitMethod:
		out.begins = has(field(request, singleUseField), readWriteField)
		out.ends = true
	case rollbackMethod:
		out.ends = true
	default:
		out.session = ""
	}
	return out
}

// field is the last value of a message's field that has a length, nil if there is none.
func field(message []byte, number protowire.Number) []byte {
	var out []byte
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil
		}
		message = message[size:]
		if n == number && kind == protowire.BytesType {
			value, size := protowire.ConsumeBytes(message)
			if size < 0 {
				return nil
			}
			out, message = value, message[size:]
			continue
		}
		if size = protowire.ConsumeFieldValue(n, kind, message); size < 0 {
			return nil
		}
		message = message[size:]
	}
	return out
}

// has tells whether a message's field is set, be it to an empty message.
func has(message []byte, number protowire.Number) bool {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return false
		}
		if n == number {
			return true
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(n, kind, message); size < 0 {
			return false
		}
		message = message[size:]
	}
	return false
}
