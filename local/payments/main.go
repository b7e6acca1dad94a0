// Command payments is the payment provider of the local platform: Stripe's HTTP API as far as the platform uses it.
package main

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/caarlos0/env/v11"

	"larder.dev/local/listen"
	"larder.dev/local/payments/simulator"
)

type config struct {
	Host                  string        `env:"HOST"                    envDefault:"127.0.0.1"`
	Port                  int           `env:"PORT,required"`
	Key                   string        `env:"STRIPE_API_KEY"          envDefault:"sk_test_larder"`
	PublicURL             string        `env:"PUBLIC_URL"`
	Journal               string        `env:"PAYMENTS_JOURNAL"`
	LatencyP50            time.Duration `env:"PROVIDER_LATENCY_P50"    envDefault:"80ms"`
	LatencyP99            time.Duration `env:"PROVIDER_LATENCY_P99"    envDefault:"400ms"`
	Seed                  uint64        `env:"SEED"`
	ProcessingTime        time.Duration `env:"PROCESSING_TIME"         envDefault:"5s"`
	AuthorisationLifetime time.Duration `env:"AUTHORISATION_LIFETIME"  envDefault:"168h"`
	MaxIntents            int           `env:"MAX_INTENTS"             envDefault:"100000"`
	WebhookURL            string        `env:"WEBHOOK_URL"`
	WebhookSecret         string        `env:"WEBHOOK_SECRET"          envDefault:"whsec_larder"`
}

func main() {
	log := listen.Logger("payments")
	if err := run(log); err != nil {
		log.Error("payments ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	provider, err := simulator.New(simulator.Config{
		Key: cfg.Key, PublicURL: cfg.PublicURL, Journal: cfg.Journal, LatencyP50: cfg.LatencyP50, LatencyP99: cfg.LatencyP99,
		Seed: cfg.Seed, ProcessingTime: cfg.ProcessingTime, AuthorisationLifetime: cfg.AuthorisationLifetime,
		MaxIntents: cfg.MaxIntents, WebhookURL: cfg.WebhookURL, WebhookSecret: cfg.WebhookSecret, Log: log,
	})
	if err != nil {
		return err
	}
	err = listen.Run(log, cfg.Host, cfg.Port, provider.Handler())
	return errors.Join(err, provider.Close())
}
