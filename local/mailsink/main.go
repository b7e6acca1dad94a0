// Command mailsink takes every mail of the local platform and delivers none: an SMTP server that keeps the last mails in memory, so
// that people and tests can look at what shoppers would get.
//
//	GET /            a page to look at them
//	GET /mails       JSON, newest first; ?to=ada@larder.example wants a recipient, ?limit=10 at most so many (100, up to 1,000)
//	GET /healthz
//
// It asks for no password and offers no TLS: it listens on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/caarlos0/env/v11"

	"larder.dev/local/listen"
)

type config struct {
	Host string `env:"HOST"               envDefault:"127.0.0.1"`
	Port int    `env:"PORT,required"` // of the page
	// SMTP is the host:port that takes mails.
	SMTP string `env:"SMTP_ADDR,required"`
}

func main() {
	log := listen.Logger("mailsink")
	if err := run(log); err != nil {
		log.Error("mailsink ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cfg.SMTP)
	if err != nil {
		return fmt.Errorf("listen for mails: %w", err)
	}
	kept := new(box)
	server := newSMTP(kept, time.Now, log)
	failed := make(chan error, 1)
	go func() {
		err := server.Serve(listener)
		if err != nil {
			log.Error("no more mails are taken", "error", err)
		}
		failed <- err
	}()
	err = listen.Run(log, cfg.Host, cfg.Port, handler(kept))
	return errors.Join(err, server.Close(), <-failed)
}
