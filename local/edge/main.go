// Command edge is the local platform's public way in, in the place of the load balancer: path routing by the routes that
// Terraform reads too.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"

	"larder.dev/local/listen"
)

type config struct {
	Host string `env:"HOST"                 envDefault:"127.0.0.1"`
	Port int    `env:"PORT,required"`
	// RoutesFile is terraform/routes.json. Each service in it needs its address, host:port, in <SERVICE>_ADDR.
	RoutesFile string `env:"ROUTES_FILE,required"`
}

func main() {
	log := listen.Logger("edge")
	if err := run(log); err != nil {
		log.Error("edge ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	rs, err := loadRoutes(cfg.RoutesFile)
	if err != nil {
		return err
	}
	upstreams, err := addresses(rs.services(), os.Getenv)
	if err != nil {
		return err
	}
	return listen.Run(log, cfg.Host, cfg.Port, newEdge(rs, upstreams, log))
}

// addresses reads where each service is; all that are missing are reported at once.
func addresses(services []string, getenv func(string) string) (map[string]string, error) {
	out := map[string]string{}
	var faults []error
	for _, service := range services {
		name := strings.ToUpper(service) + "_ADDR"
		if out[service] = getenv(name); out[service] == "" {
			faults = append(faults, fmt.Errorf("%s is not set: the routes lead to service %s", name, service))
		}
	}
	return out, errors.Join(faults...)
}
