// Command rollout moves the traffic of Cloud Run's services from one release to the next, and all of it back if the next one burns an error
// budget. Terraform makes the new revisions; which revision has how much of the traffic is said here.
//
//	rollout pin FILE      names the revision that serves each service, so that what is applied next gets nothing, and writes them to FILE
//	rollout shift FILE    gives the revisions that came since more and more, from those of FILE; on a burn, those of FILE have all again
//	rollout back FILE     gives all traffic to the revisions of FILE
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"larder.dev/internal/serve"
)

type config struct {
	Project string `env:"GOOGLE_CLOUD_PROJECT,required"`
	Region  string `env:"REGION,required"`
	// Shares are the percentages that a new revision is watched at, rising; after them it has all, and is watched once more.
	Shares []int64 `env:"ROLLOUT_SHARES" envDefault:"5,25,50"`
	// Watch is how long each share is watched. Cloud Run's metrics are some three minutes late.
	Watch time.Duration `env:"ROLLOUT_WATCH" envDefault:"10m"`
	Every time.Duration `env:"ROLLOUT_EVERY" envDefault:"30s"`
	// Burn is how many times as fast as it may an error budget may be used up: that of the alert slo-burn-fast.
	Burn float64 `env:"ROLLOUT_BURN" envDefault:"14.4"`
}

func (c config) check() error {
	before := int64(0)
	for _, share := range c.Shares {
		if share <= before || share >= 100 {
			return fmt.Errorf("ROLLOUT_SHARES is %v: shares rise, above 0 and below 100", c.Shares)
		}
		before = share
	}
	if c.Watch < c.Every || c.Every <= 0 || c.Burn <= 0 {
		return errors.New("ROLLOUT_WATCH is at least ROLLOUT_EVERY, and that and ROLLOUT_BURN are above 0")
	}
	return nil
}

func main() {
	log.SetFlags(log.Ltime)
	// Cloud Build ends a cancelled build's steps by SIGTERM: then the traffic goes back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := perform(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rollout:", err)
		os.Exit(1)
	}
}

func perform(ctx context.Context, arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("usage: rollout pin|shift|back FILE")
	}
	var c config
	if err := serve.LoadConfig(&c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	platform, err := newCloud(ctx, c.Project, c.Region)
	if err != nil {
		return err
	}
	r := &rollout{cloud: platform, config: c}
	command, file := arguments[0], arguments[1]
	if command == "pin" {
		serving, err := r.pin(ctx)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(serving, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(file, append(text, '\n'), 0o600)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var before revisions
	if err := json.Unmarshal(text, &before); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	switch command {
	case "shift":
		return r.shift(ctx, before)
	case "back":
		return r.back(ctx, before)
	}
	return fmt.Errorf("there is no command %q", command)
}
