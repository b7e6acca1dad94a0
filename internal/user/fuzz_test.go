package user

import (
	"testing"

	"larder.dev/internal/fault"
)

// An etag is one of ours, or matches nothing.
func FuzzEtag(f *testing.F) {
	for _, seed := range []string{"", "1", "0", "-1", "+1", "01", "9223372036854775808", `"1"`, "W/\"1\"", "\x00", "1e3", " 1"} {
		f.Add(seed, int64(1))
	}
	f.Fuzz(func(t *testing.T, text string, version int64) {
		read, err := versionOf(text)
		if err != nil && !fault.Is(err, fault.EtagMismatch) {
			t.Fatalf("refused otherwise: %v", err)
		}
		if err == nil && (read < 0 || read == 0 && text != "") {
			t.Fatalf("%q is version %d", text, read)
		}
		if version > 0 {
			if back, err := versionOf(etag(version)); err != nil || back != version {
				t.Fatalf("the etag of %d is %d, %v", version, back, err)
			}
		}
	})
}
