// Command invoker calls the functions on one machine, in the place of Pub/Sub's push with OIDC and of Cloud Scheduler. Each call
// carries an ID token that the metadata server signs, so that functions verify their callers here as on Google Cloud.
//
//	POST /push/{function}   a push delivery of the Pub/Sub emulator, which signs nothing: signed, passed on, answered as the function does.
//	                        ?type=A&type=B: those of other events are acknowledged here, as a subscription's filter does
//	POST /run/{function}    runs a job of the schedule now, after the one that may be under way; answers as the function does
//	GET  /status            each job: when it ran last, with which outcome and report
//	GET  /healthz
//
// A function is named in any case. Whoever reaches the invoker calls as Pub/Sub or the scheduler: it listens on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"larder.dev/local/listen"
)

// config is read from the environment. GCE_METADATA_HOST is read by Google's client itself.
type config struct {
	Host string `env:"HOST"                 envDefault:"127.0.0.1"`
	Port int    `env:"PORT,required"`
	// Functions are all functions' names. Each needs its address, host:port, in <FUNCTION>_ADDR.
	Functions []string `env:"LARDER_FUNCTIONS,required" envSeparator:" "`
	// Domain is the end of every service account's address.
	Domain string `env:"SERVICE_ACCOUNT_DOMAIN,required"`
	// Schedule is a file like local/schedule.json.
	Schedule string `env:"SCHEDULE_FILE,required"`
	// MaxConcurrent deliveries are passed on to one function at once; the rest is refused, for Pub/Sub to send it again.
	MaxConcurrent int `env:"INVOKER_MAX_CONCURRENT" envDefault:"32"`
}

func main() {
	log := listen.Logger("invoker")
	if err := run(log); err != nil {
		log.Error("invoker ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	to, err := addresses(cfg.Functions, os.Getenv)
	if err != nil {
		return err
	}
	jobs, err := loadSchedule(cfg.Schedule, cfg.Functions)
	if err != nil {
		return err
	}
	caller := newCaller(cfg.Domain, to, time.Now)
	schedule := newSchedule(jobs, caller, log)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); schedule.run(ctx) }()
	err = listen.Run(log, cfg.Host, cfg.Port, handler(newPush(caller, cfg.Functions, cfg.MaxConcurrent, log), schedule))
	stop()
	<-ended
	return err
}

func handler(push *push, schedule *schedule) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
	})
	mux.Handle("POST /push/{function}", push)
	mux.HandleFunc("POST /run/{function}", schedule.runNow)
	mux.HandleFunc("GET /status", schedule.status)
	return mux
}

// addresses reads where each function is; all that are missing are reported at once.
func addresses(functions []string, getenv func(string) string) (map[string]string, error) {
	out := map[string]string{}
	var faults []error
	for _, function := range functions {
		variable := strings.ToUpper(function) + "_ADDR"
		if out[lower(function)] = getenv(variable); out[lower(function)] == "" {
			faults = append(faults, fmt.Errorf("%s is not set: it is where the function %s is", variable, function))
		}
	}
	return out, errors.Join(faults...)
}

// lower is a function's name as its process, its account and its token's audience have it.
func lower(function string) string { return strings.ToLower(function) }
