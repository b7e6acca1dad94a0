// Command storefront serves the shop's pages.
package main

import (
	"context"

	"larder.dev/internal/serve"
	"larder.dev/internal/storefront"
	"larder.dev/internal/web"
)

type config struct {
	serve.Config
	Web   web.Config
	Pages storefront.Config
}

func main() {
	var config config
	serve.Main("storefront", &config, func(ctx context.Context, app *serve.App) error {
		shop, err := storefront.New(ctx, config.Pages, config.Web, config.Limits.Proxies)
		if err != nil {
			return err
		}
		// By method, because the service's REST side answers what is left: no page takes another one.
		app.Handle("GET /", shop)
		app.Handle("POST /", shop)
		return nil
	})
}
