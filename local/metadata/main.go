// Command metadata stands in for Google's metadata server on one machine: it signs ID tokens for service accounts, as far as the
// platform asks for them, and serves the public keys that Google serves at www.googleapis.com.
//
//	GET /computeMetadata/v1/instance/service-accounts/{account}/identity?audience=A&format=full   an RS256 ID token, valid for 1 h
//	GET /computeMetadata/v1/instance/service-accounts/{account}/email
//	GET /computeMetadata/v1/project/project-id
//	GET /oauth2/v3/certs                                                                         JWKS
//
// account is an address in the account domain, or default. Whoever reaches the server may be any service: it listens on
// loopback, like Google's listens on a link of the machine's own.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/caarlos0/env/v11"

	"larder.dev/local/listen"
)

type config struct {
	Host    string `env:"HOST"                 envDefault:"127.0.0.1"`
	Port    int    `env:"PORT,required"`
	Issuer  string `env:"ISSUER"               envDefault:"https://accounts.google.com"`
	Project string `env:"GOOGLE_CLOUD_PROJECT" envDefault:"larder-local"`
	// Domain is the end of every service account's address.
	Domain string `env:"SERVICE_ACCOUNT_DOMAIN" envDefault:"larder-local.iam.gserviceaccount.com"`
	// Default is the account called default.
	Default string `env:"DEFAULT_ACCOUNT"      envDefault:"larder-local@larder-local.iam.gserviceaccount.com"`
	// KeyFile keeps the signing key, so that tokens stay valid over a restart; empty makes a new key at each start.
	KeyFile string `env:"METADATA_KEY_FILE"`
}

func main() {
	log := listen.Logger("metadata")
	if err := run(log); err != nil {
		log.Error("metadata ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	key, err := loadKey(cfg.KeyFile)
	if err != nil {
		return err
	}
	return listen.Run(log, cfg.Host, cfg.Port, newServer(cfg, key, time.Now).handler())
}
