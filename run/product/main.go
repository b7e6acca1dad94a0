// Command product is the service of the catalogue.
package main

import (
	"context"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
	"larder.dev/internal/serve"
)

type config struct {
	serve.Config
	Database pgdb.Config
}

func main() {
	var c config
	serve.Main("product", &c, func(ctx context.Context, app *serve.App) error {
		pool, err := pgdb.Open(ctx, c.Database.URL)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { pool.Close(); return nil })
		catalogue := postgres.New(pool)
		app.Ready("PostgreSQL", catalogue.Ready)
		server := product.NewServer(product.NewService(catalogue), app.Validator())
		return app.Register(ctx, &productpb.ProductService_ServiceDesc, server, product.Gateway)
	})
}
