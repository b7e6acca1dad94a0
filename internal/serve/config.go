package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"larder.dev/internal/identity"
	"larder.dev/internal/telemetry"
)

// Config is what every service reads from its environment. A service's own configuration embeds it.
type Config struct {
	// Port serves gRPC and REST; 0 takes a free one.
	Port int `env:"PORT" envDefault:"8080"`
	// Project is the Google Cloud project, for trace ids in logs.
	Project string `env:"GOOGLE_CLOUD_PROJECT,required"`
	// ServiceAccount signs calls to other services: an address, or "default" on Google Cloud.
	ServiceAccount string `env:"SERVICE_ACCOUNT" envDefault:"default"`
	// Insecure calls other services without TLS, for one machine.
	Insecure bool       `env:"INSECURE_CALLS" envDefault:"false"`
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"INFO"`
	// RequestTimeout bounds a request that brings no deadline of its own.
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"15s"`
	// MaxBody is the largest REST body and gRPC message, bytes.
	MaxBody int64 `env:"MAX_BODY" envDefault:"1048576"`
	// MinConcurrent requests are served at once however slow they have become, MaxConcurrent however fast they are. In between it is as many
	// as are answered in their usual time; the rest is refused with OVERLOADED, lower priorities first.
	MinConcurrent uint `env:"MIN_CONCURRENT" envDefault:"16"`
	MaxConcurrent uint `env:"MAX_CONCURRENT" envDefault:"512"`

	Identity  identity.Config
	Telemetry telemetry.Config
	Limits    LimitsConfig
}

func (c *Config) base() *Config { return c }

// Configuration is a service's own struct that embeds Config.
type Configuration interface{ base() *Config }

// LoadConfig reads an environment struct and tells all its faults at once, one a line.
func LoadConfig(into any) error {
	err := env.Parse(into)
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return fmt.Errorf("configuration: %w", err)
	}
	lines := make([]string, 0, len(all.Errors))
	for _, fault := range all.Errors {
		lines = append(lines, "  "+fault.Error())
	}
	return fmt.Errorf("configuration has %d faults:\n%s", len(lines), strings.Join(lines, "\n"))
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
