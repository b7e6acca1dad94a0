package user

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"larder.dev/internal/fault"
)

func TestHashAndVerify(t *testing.T) {
	h := newHasher(DefaultParameters)
	phc, err := h.hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("hash is %q, want argon2id with the stated parameters", phc)
	}
	again, err := h.hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if again == phc {
		t.Error("two hashes of one password are equal: the salt isn't new")
	}
	for password, want := range map[string]bool{
		"correct horse battery": true, "correct horse batterz": false, "": false,
		"ｃorrect horse battery": true, // looks the same, typed on another keyboard
	} {
		right, current, err := h.verify(t.Context(), password, phc)
		if err != nil || right != want || !current {
			t.Errorf("verify %q: right %v, current %v, error %v, want right %v", password, right, current, err, want)
		}
	}
	if right, _, err := h.verify(t.Context(), "correct horse battery", h.decoy); right || err != nil {
		t.Errorf("the decoy: right %v, error %v", right, err)
	}
}

func TestOldParametersAreNotCurrent(t *testing.T) {
	old := newHasher(Parameters{MemoryKiB: 8 << 10, Passes: 1, Lanes: 1})
	phc, err := old.hash(t.Context(), "a password")
	if err != nil {
		t.Fatal(err)
	}
	right, current, err := newHasher(DefaultParameters).verify(t.Context(), "a password", phc)
	if err != nil || !right || current {
		t.Errorf("right %v, current %v, error %v, want right and not current", right, current, err)
	}
}

// The hash of the reference implementation's command line, so that we can read what others wrote:
// printf password | argon2 somesalt -id -t 2 -m 16 -p 1 -e
func TestReadsForeignHash(t *testing.T) {
	const phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	right, _, err := newHasher(DefaultParameters).verify(t.Context(), "password", phc)
	if err != nil || !right {
		t.Errorf("right %v, error %v", right, err)
	}
}

func TestRefusesWhatIsNoHash(t *testing.T) {
	for _, phc := range []string{
		"", "password", "$argon2i$v=19$m=1,t=1,p=1$c2FsdA$a2V5", "$argon2id$v=16$m=1,t=1,p=1$c2FsdA$a2V5",
		"$argon2id$v=19$m=x,t=1,p=1$c2FsdA$a2V5", "$argon2id$v=19$m=8,t=0,p=1$c2FsdA$a2V5",
		"$argon2id$v=19$m=8,t=1,p=0$c2FsdA$a2V5", "$argon2id$v=19$m=8,t=1,p=1$!$a2V5", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$",
	} {
		if right, _, err := newHasher(Parameters{MemoryKiB: 8, Passes: 1, Lanes: 1}).verify(t.Context(), "password", phc); right || err == nil {
			t.Errorf("verify against %q: right %v, error %v, want an error", phc, right, err)
		}
	}
}

func TestHashesWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(Parameters{MemoryKiB: 8, Passes: 1, Lanes: 1})
		if err := h.places.Acquire(t.Context(), hashesAtOnce); err != nil {
			t.Fatal(err)
		}
		if _, err := h.hash(t.Context(), "a password"); !fault.Is(err, fault.Overloaded) {
			t.Errorf("with all places taken: %v, want OVERLOADED", err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := h.hash(gone, "a password"); !fault.Is(fault.From(err), fault.Cancelled) {
			t.Errorf("a caller who left: %v, want CANCELLED", err)
		}
		h.places.Release(hashesAtOnce)
		if _, err := h.hash(t.Context(), "a password"); err != nil {
			t.Errorf("with places free: %v", err)
		}
	})
}

func TestParametersThatArgon2CantWorkWith(t *testing.T) {
	for p, good := range map[Parameters]bool{
		DefaultParameters: true, {8, 1, 1}: true, {7, 1, 1}: false, {15, 1, 2}: false, {64, 0, 1}: false, {64, 1, 0}: false,
	} {
		if err := p.Check(); (err == nil) != good {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
