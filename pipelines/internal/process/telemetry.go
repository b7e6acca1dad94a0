package process

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"sync"

	"larder.dev/internal/serve"
	"larder.dev/internal/telemetry"
)

// Told are the variables of telemetry.Config that are set where a job is submitted, by name. Workers of Dataflow run nothing of the main program
// and have none of its environment, so the job's functions carry them there, for Tell. They are seen with the job: none is a secret.
func Told() map[string]string {
	set := map[string]string{}
	for _, name := range variables(reflect.TypeFor[telemetry.Config]()) {
		if value, ok := os.LookupEnv(name); ok {
			set[name] = value
		}
	}
	return set
}

var tell sync.Once

// Tell starts to send the process's traces and metrics, under a service's name, as Told's variables say; without any it does nothing. Every function
// of a pipeline may call it, once is enough. A worker that can't tell of its work still does it: what is wrong is logged. It goes on until the
// worker ends, and what it hasn't sent by then, of the last seconds, is lost.
func Tell(ctx context.Context, service string, told map[string]string) {
	if len(told) == 0 {
		return
	}
	tell.Do(func() {
		for name, value := range told {
			if err := os.Setenv(name, value); err != nil {
				slog.Error("telemetry isn't sent", "error", err)
				return
			}
		}
		var config telemetry.Config
		err := serve.LoadConfig(&config)
		if err == nil {
			_, err = telemetry.Start(context.WithoutCancel(ctx), config, service, slog.Default())
		}
		if err != nil {
			slog.Error("telemetry isn't sent", "error", err)
		}
	})
}
