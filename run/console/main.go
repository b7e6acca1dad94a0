// Command console serves the operators' pages.
package main

import (
	"context"

	"larder.dev/internal/console"
	"larder.dev/internal/serve"
	"larder.dev/internal/web"
)

type config struct {
	serve.Config
	Web web.Config
}

func main() {
	var config config
	serve.Main("console", &config, func(_ context.Context, app *serve.App) error {
		desk, err := console.New(config.Web, config.Limits.Proxies)
		if err != nil {
			return err
		}
		// By method, because the service's REST side answers what is left: no page takes another one.
		app.Handle("GET /", desk)
		app.Handle("POST /", desk)
		return nil
	})
}
