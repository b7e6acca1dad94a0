package web

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const keySize = 32 // bytes, of AES-256

// Jar keeps values in cookies that only the site can read or make. They are HttpOnly, so that no script sees them, and SameSite=Lax, so
// that a link from elsewhere finds a person signed in, and a form of elsewhere doesn't. Where the site is served by https they are sent by
// https only, and have the prefix __Host-, which no other host of the domain can set (RFC 6265bis, section 4.1.3).
type Jar struct {
	keys   []cipher.AEAD
	secure bool
}

// newJar: nonces are random, so a key may seal 2^32 values (NIST SP 800-38D, section 8.3).
func newJar(keys [][]byte, secure bool) (*Jar, error) {
	jar := &Jar{secure: secure}
	for _, key := range keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("session key: %w", err)
		}
		sealed, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("session key: %w", err)
		}
		jar.keys = append(jar.keys, sealed)
	}
	return jar, nil
}

// Put has the browser keep a value, which is what JSON can hold of it, for so long. Browsers keep 4096 bytes at most, which is an error.
func (j *Jar) Put(w http.ResponseWriter, name string, value any, life time.Duration) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("cookie %s: %w", name, err)
	}
	// The name is authenticated too: a value can't be moved into another cookie.
	sealed := base64.RawURLEncoding.EncodeToString(j.keys[0].Seal(nil, nil, text, []byte(name)))
	cookie := j.cookie(name, sealed, int(life.Seconds()))
	if len(cookie.Name)+len(sealed) > 4096 {
		return fmt.Errorf("cookie %s: %d bytes are more than a browser keeps", name, len(sealed))
	}
	http.SetCookie(w, cookie)
	return nil
}

// Get reads a value that was put. false: there is none, or it isn't ours.
func (j *Jar) Get(r *http.Request, name string, into any) bool {
	cookie, err := r.Cookie(j.name(name))
	if err != nil {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return false
	}
	for _, key := range j.keys {
		if text, err := key.Open(nil, nil, sealed, []byte(name)); err == nil {
			return json.Unmarshal(text, into) == nil
		}
	}
	return false
}

// Drop has the browser forget a value.
func (j *Jar) Drop(w http.ResponseWriter, name string) { http.SetCookie(w, j.cookie(name, "", -1)) }

func (j *Jar) name(name string) string {
	if j.secure {
		return "__Host-" + name
	}
	return name
}

func (j *Jar) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: j.name(name), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: j.secure, SameSite: http.SameSiteLaxMode,
	}
}
