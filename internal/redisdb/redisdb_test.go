package redisdb_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"larder.dev/internal/redisdb"
)

// behindTLS stands before a server as Memorystore's TLS does, with a certificate of an authority that no system knows.
func behindTLS(t *testing.T, server string) (address, authority string) {
	t.Helper()
	issuer := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(issuer.Close)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: issuer.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw})
	return listener.Addr().String(), url.QueryEscape(base64.StdEncoding.EncodeToString(certificate))
}

// With TLS and AUTH, on a real server: who has the password and trusts the authority gets in, nobody else does.
func TestTLSAndAuth(t *testing.T) {
	server := os.Getenv("CART_REDIS_ADDR")
	if server == "" {
		t.Fatal("CART_REDIS_ADDR is not set: PROFILE=test ONLY=components make up, then eval \"$(PROFILE=test local/env.sh test)\"")
	}
	plain := redis.NewClient(&redis.Options{Addr: server})
	defer plain.Close()
	if err := plain.Do(t.Context(), "ACL", "SETUSER", "redisdb", "on", ">secret", "+ping").Err(); err != nil {
		t.Fatal(err)
	}
	defer plain.Do(t.Context(), "ACL", "DELUSER", "redisdb")
	address, authority := behindTLS(t, server)
	for name, row := range map[string]struct {
		url, refused string
	}{
		"as it should be":       {"rediss://redisdb:secret@" + address + "?ca=" + authority, ""},
		"another password":      {"rediss://redisdb:guess@" + address + "?ca=" + authority, "WRONGPASS"},
		"an unknown authority":  {"rediss://redisdb:secret@" + address, "certificate"},
		"without TLS to a wall": {address, "EOF"},
	} {
		options, err := redisdb.Options(row.url)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		options.MaxRetries = -1
		client := redis.NewUniversalClient(options)
		err = client.Ping(t.Context()).Err()
		if row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
			t.Errorf("%s: %v, want %q", name, err, row.refused)
		}
		_ = client.Close()
	}
}

func TestOptions(t *testing.T) {
	options, err := redisdb.Options("a:1,b:2")
	if err != nil || len(options.Addrs) != 2 || options.TLSConfig != nil {
		t.Errorf("a cluster's addresses: %+v, %v", options, err)
	}
	if options, err = redisdb.Options("rediss://10.0.0.3:6379?cluster=true"); err != nil || !options.IsClusterMode || options.TLSConfig == nil {
		t.Errorf("a cluster with TLS: %+v, %v", options, err)
	}
	for _, address := range []string{"", "host", "redis://u:secret@host:6379", "rediss://:secret@host", "rediss://:secret@host:1?ca=x", "rediss://:secret%zz@host:1"} {
		if _, err := redisdb.Options(address); err == nil || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
