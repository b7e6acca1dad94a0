// Command search finds products.
package main

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
	"larder.dev/internal/serve"
)

type config struct {
	serve.Config
	Search  search.Config
	Elastic elastic.Config
}

func main() {
	var config config
	serve.Main("search", &config, func(ctx context.Context, app *serve.App) error {
		index, err := elastic.New(config.Elastic)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { index.Close(); return nil })
		app.Go("index", index.Keep)
		app.Ready("elasticsearch", index.Check)
		service, err := search.NewCaching(index, config.Search)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { service.Close(); return nil })
		return app.Register(ctx, &searchpb.SearchService_ServiceDesc, search.NewServer(service),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return searchpb.RegisterSearchServiceHandlerClient(ctx, mux, searchpb.NewSearchServiceClient(conn))
			})
	})
}
