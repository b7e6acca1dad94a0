package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// begin claims an idempotency key for a call. It answers the remembered answer when the key is done, or an error when it is
// in use or belongs to another call; with neither, the caller executes and must call end. No key, nothing to claim.
func (s *Simulator) begin(key, fingerprint string) (*answer, *apiError) {
	if key == "" {
		return nil, nil
	}
	if len(key) > 255 {
		return nil, invalid("", "", "An idempotency key has at most 255 characters.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.state.answers[key]; a != nil && s.timeLocked().Before(a.Created.Add(keyLifetime)) {
		if a.Fingerprint != fingerprint {
			return nil, &apiError{
				status: http.StatusBadRequest, Type: typeIdempotency, refused: true,
				Message: "This idempotency key was first used with another endpoint or other parameters.",
			}
		}
		return a, nil
	}
	if s.inUse[key] {
		return nil, &apiError{
			status: http.StatusConflict, Type: typeIdempotency, Code: "idempotency_key_in_use", refused: true,
			DocURL: docURL("idempotency_key_in_use"), Message: "Another request with this idempotency key is still running.",
		}
	}
	s.inUse[key] = true
	return nil, nil
}

func (s *Simulator) end(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inUse, key)
}

func fingerprint(r *http.Request, p params) string {
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.Path + "\n" + p.canonical()))
	return hex.EncodeToString(sum[:])
}
