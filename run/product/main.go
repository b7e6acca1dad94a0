// Command product is the service of the catalogue.
package main

import (
	"context"

	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
	"larder.dev/internal/product/rpc"
	"larder.dev/internal/serve"
)

type config struct {
	serve.Config
	Database pgdb.Config
	// Search is host:port of the search service, for audits.
	Search string `env:"SEARCH_ADDR,required"`
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
		search, err := app.Dial(c.Search)
		if err != nil {
			return err
		}
		auditor := product.NewAuditor(catalogue, rpc.Index{Client: searchpb.NewSearchServiceClient(search)})
		importer := product.NewImporter(catalogue, app.Validator())
		server := product.NewServer(product.NewService(catalogue), auditor, importer, app.Validator())
		app.Handle(product.ImportPattern, product.ImportHandler(app.Local()))
		return app.Register(ctx, &productpb.ProductService_ServiceDesc, server, product.Gateway)
	})
}
