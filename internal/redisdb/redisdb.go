// Package redisdb reads the address of a Redis server.
package redisdb

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

// errAddress doesn't quote the address, which may have a password in it.
var errAddress = errors.New("the address of Redis is neither host:port nor rediss://user:password@host:port?ca=<base64>")

// Options reads an address: "host:port", with commas those of a cluster, for a server on one machine; or, with TLS and AUTH,
//
//	rediss://user:password@host:port?ca=<an authority's certificates, PEM in base64>&cluster=true
//
// where user, password, ca (else the system's authorities) and cluster may be left out. Everything else is the caller's to set.
func Options(address string) (*redis.UniversalOptions, error) {
	if !strings.Contains(address, "://") {
		all := strings.Split(address, ",")
		for _, one := range all {
			if _, port, err := net.SplitHostPort(one); err != nil || port == "" {
				return nil, errAddress
			}
		}
		return &redis.UniversalOptions{Addrs: all}, nil
	}
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "rediss" || at.Hostname() == "" || at.Port() == "" {
		return nil, errAddress
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: at.Hostname()}
	query := at.Query()
	if encoded := query.Get("ca"); encoded != "" {
		certificates, err := base64.StdEncoding.DecodeString(encoded)
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(certificates) {
			return nil, errAddress
		}
	}
	password, _ := at.User.Password()
	return &redis.UniversalOptions{
		Addrs: []string{at.Host}, Username: at.User.Username(), Password: password,
		TLSConfig: config, IsClusterMode: query.Get("cluster") == "true",
	}, nil
}
