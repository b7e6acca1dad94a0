package fault_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"larder.dev/internal/fault"
)

// A coded error crosses the wire as it is, whatever it says; and whatever another's status says, it is read or told by the fallback.
func FuzzCodedErrors(f *testing.F) {
	names := slices.Sorted(maps.Keys(fault.All()))
	for n := range names {
		f.Add(uint(n), "the cart has changed", "etag", "17-2", "lines[2].quantity", int64(1500), []byte{})
	}
	foreign, err := proto.Marshal(&spb.Status{Code: 9, Message: "x", Details: []*anypb.Any{{TypeUrl: "type.googleapis.com/nothing", Value: []byte{1}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(0), "", "", "", "", int64(-1), foreign)
	f.Add(uint(29), "no \xff", "\xc7", "\xb5", "\xc3(", int64(0), []byte{}) // no UTF-8, as a caller may send it and is quoted
	f.Fuzz(func(t *testing.T, n uint, message, key, value, field string, retryMS int64, foreign []byte) {
		reason := fault.All()[names[n%uint(len(names))]]
		sent := reason.New("%s", message).WithMetadata(key, value).WithViolation(field, value).
			WithRetryAfter(time.Duration(retryMS%1_000_000) * time.Millisecond).WithCause(errors.New("secret cause"))
		st := sent.Status()
		if st.Code() != reason.Code || !fault.Is(st.Err(), reason) && !reason.Internal {
			t.Fatalf("%s became %v", reason.Name, st)
		}
		if utf8.ValidString(message) && st.Message() != message {
			t.Fatalf("%q became %q", message, st.Message())
		}
		fallback := errors.New("fallback")
		back := fault.FromStatus(st, fallback)
		var coded *fault.Error
		if !reason.Internal && errors.As(back, &coded) && (coded.Message() != sent.Message() || len(coded.Violations()) != 1 || coded.Unwrap() != nil) {
			t.Fatalf("%v came back as %v", sent, back)
		}

		var other spb.Status
		if proto.Unmarshal(foreign, &other) == nil {
			read := fault.FromStatus(status.FromProto(&other), fallback)
			if errors.As(read, &coded) && fault.All()[coded.Reason().Name].Name == "" {
				t.Fatalf("a reason that there isn't: %v", read)
			}
		}
	})
}
